package slimvox.audio;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;

/**
 * Writes FLAC streams of one channel (RFC 9639) and draws every choice that the format leaves: kind
 * and order of prediction, Rice codes, parts, wasted bits, how sizes and rates are written.
 */
public final class FlacEncoder {
  private final RandomGenerator random;
  private final int bits;
  int sampleRate = 16000;
  boolean knowsLength = true;
  boolean hasSum = true;
  byte[] before = {};
  List<byte[]> metadata = List.of();

  /** 2^n parts of a residual, -1 to draw it. */
  int partsLog = -1;

  /** First sample of each frame that was encoded last, and its byte after the first frame's. */
  final Map<Long, Long> frames = new TreeMap<>();

  public FlacEncoder(RandomGenerator random, int bits) {
    this.random = random;
    this.bits = bits;
  }

  public byte[] encode(int[] samples, int... blockSizes) throws Exception {
    var out = new ByteArrayOutputStream();
    out.writeBytes(before);
    out.writeBytes(new byte[] {'f', 'L', 'a', 'C', metadata.isEmpty() ? (byte) 0x80 : 0, 0, 0, 34});
    var info = ByteBuffer.allocate(34);
    int[] sizes = Arrays.stream(blockSizes).sorted().toArray();
    info.putShort((short) Math.max(16, sizes[0])).putShort((short) sizes[sizes.length - 1]);
    info.position(10);
    long length = knowsLength ? samples.length : 0;
    info.putLong((long) sampleRate << 44 | (bits - 1L) << 36 | length);
    if (hasSum) info.put(sum(samples));
    out.writeBytes(info.array());
    for (int i = 0; i < metadata.size(); i++) {
      byte[] block = metadata.get(i);
      int last = i == metadata.size() - 1 ? 0x80 : 0;
      out.writeBytes(ByteBuffer.allocate(4).putInt((last | 1 + i) << 24 | block.length).array());
      out.writeBytes(block);
    }
    boolean variable = sizes[0] < sizes[sizes.length - 1];
    frames.clear();
    int start = out.size();
    for (int i = 0, at = 0; at < samples.length; i++) {
      int end = Math.min(samples.length, at + blockSizes[i % blockSizes.length]);
      frames.put((long) at, (long) out.size() - start);
      out.writeBytes(frame(Arrays.copyOfRange(samples, at, end), variable ? at : i, variable));
      at = end;
    }
    return out.toByteArray();
  }

  private byte[] sum(int[] samples) throws Exception {
    int width = (bits + 7) / 8;
    var bytes = ByteBuffer.allocate(samples.length * width);
    for (int sample : samples) {
      for (int b = 0; b < width; b++) bytes.put((byte) (sample >> 8 * b));
    }
    return MessageDigest.getInstance("MD5").digest(bytes.array());
  }

  private byte[] frame(int[] samples, long number, boolean variable) {
    var out = new Bits();
    int n = samples.length;
    List<Integer> sizes = new ArrayList<>(List.of(7));
    if (n <= 256) sizes.add(6);
    for (int code = 1; code < 16; code++) {
      if (n == (code == 1 ? 192 : code < 6 ? 576 << code - 2 : 256 << Math.max(0, code - 8))) {
        if (code < 6 || code > 7) sizes.add(code);
      }
    }
    int size = draw(sizes);
    int rate = draw(List.of(0, sampleRate == 16000 ? 5 : 0, 13, 14));
    int known = List.of(0, 8, 12, -1, 16, 20, 24, 32).indexOf(bits);
    out.put(0x7ffc, 15).put(variable ? 1 : 0, 1).put(size, 4).put(rate, 4).put(0, 4);
    out.put(known < 0 ? 0 : draw(List.of(0, known)), 3).put(0, 1);
    if (number < 0x80) {
      out.put(number, 8);
    } else {
      int more = 1;
      while (number >= 1L << 5 * more + 6) more++;
      out.put((0xff80 >> more & 0xff) | number >> 6 * more, 8);
      while (more-- > 0) out.put(0x80 | number >> 6 * more & 63, 8);
    }
    if (size == 6 || size == 7) out.put(n - 1, size == 6 ? 8 : 16);
    if (rate >= 13) out.put(rate == 13 ? sampleRate & 0xffff : sampleRate / 10, 16);
    out.put(crc(out.bytes(), 8, 0x07), 8);
    channel(out, samples);
    byte[] body = out.bytes();
    return ByteBuffer.allocate(body.length + 2)
        .put(body)
        .putShort((short) crc(body, 16, 0x8005))
        .array();
  }

  private void channel(Bits out, int[] samples) {
    int any = Arrays.stream(samples).reduce(0, (a, b) -> a | b);
    int wasted = any == 0 ? 0 : draw(List.of(0, Integer.numberOfTrailingZeros(any)));
    int width = bits - wasted;
    int[] x = Arrays.stream(samples).map(s -> s >> wasted).toArray();
    boolean constant = Arrays.stream(x).allMatch(s -> s == x[0]);
    boolean fixed = random.nextBoolean();
    int order = Math.min(x.length - 1, fixed ? random.nextInt(5) : random.nextInt(1, 33));
    int precision = random.nextInt(4, 16);
    int shift = fixed ? 0 : random.nextInt(precision, 16);
    int[] weights = new int[order];
    for (int i = 0; i < order; i++) {
      weights[i] =
          fixed
              ? new int[][] {{}, {1}, {2, -1}, {3, -3, 1}, {4, -6, 4, -1}}[order][i]
              : random.nextInt(-1 << precision - 1, 1 << precision - 1) / (i + 1);
    }
    long[] left = new long[x.length];
    boolean fits = true;
    for (int i = order; i < x.length; i++) {
      long sum = 0;
      for (int j = 0; j < order; j++) sum += (long) weights[j] * x[i - 1 - j];
      left[i] = x[i] - (sum >> shift);
      fits &= Math.abs(left[i]) < 1 << 30;
    }
    boolean plain = !fits || order == 0 && !fixed || random.nextInt(6) == 0;
    boolean same = constant && random.nextInt(4) > 0;
    int type = same ? 0 : plain ? 1 : fixed ? 8 + order : 31 + order;
    out.put(0, 1).put(type, 6).put(wasted > 0 ? 1 : 0, 1);
    if (wasted > 0) out.unary(wasted - 1);
    for (int i = 0; i < (same ? 1 : plain ? x.length : order); i++) out.put(x[i], width);
    if (same || plain) return;
    if (!fixed) {
      out.put(precision - 1, 4).put(shift, 5);
      for (int weight : weights) out.put(weight, precision);
    }
    residual(out, left, order);
  }

  private void residual(Bits out, long[] left, int order) {
    int n = left.length;
    int method = random.nextInt(2);
    int log = partsLog >= 0 ? partsLog : random.nextInt(16);
    while (n % (1 << log) != 0 || n >> log < order) log--;
    out.put(method, 2).put(log, 4);
    for (int p = 0; p < 1 << log; p++) {
      long[] part = Arrays.copyOfRange(left, p == 0 ? order : p * (n >> log), (p + 1) * (n >> log));
      long widest = Arrays.stream(part).map(v -> v < 0 ? ~v : v).max().orElse(0);
      int most = 64 - Long.numberOfLeadingZeros(widest);
      int parameter = Math.max(0, most - random.nextInt(4));
      int escape = method == 0 ? 15 : 31;
      if (parameter >= escape || random.nextInt(5) == 0) {
        int wide = widest == 0 && Arrays.stream(part).allMatch(v -> v == 0) ? 0 : most + 1;
        out.put(escape, 4 + method).put(wide, 5);
        for (long v : part) out.put(v, wide);
      } else {
        out.put(parameter, 4 + method);
        for (long v : part) {
          long folded = v < 0 ? -2 * v - 1 : 2 * v;
          out.unary(folded >> parameter);
          out.put(folded, parameter);
        }
      }
    }
  }

  private int draw(List<Integer> choices) {
    return choices.get(random.nextInt(choices.size()));
  }

  private static int crc(byte[] bytes, int width, int polynomial) {
    int crc = 0;
    for (byte b : bytes) {
      crc ^= (b & 0xff) << width - 8;
      for (int i = 0; i < 8; i++) crc = crc << 1 ^ ((crc >> width - 1 & 1) == 0 ? 0 : polynomial);
      crc &= (1 << width) - 1;
    }
    return crc;
  }

  private static final class Bits {
    private byte[] bytes = new byte[1 << 12];
    private long count;

    Bits put(long value, int bits) {
      for (int b = bits - 1; b >= 0; b--) bit((int) (value >> b & 1));
      return this;
    }

    void unary(long zeros) {
      for (long i = 0; i < zeros; i++) bit(0);
      bit(1);
    }

    private void bit(int bit) {
      int at = (int) (count >> 3);
      if (at == bytes.length) bytes = Arrays.copyOf(bytes, 2 * at);
      bytes[at] |= (byte) (bit << 7 - (count++ & 7));
    }

    byte[] bytes() {
      return Arrays.copyOf(bytes, (int) (count + 7 >> 3));
    }
  }
}
