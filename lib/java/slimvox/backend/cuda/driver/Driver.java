package slimvox.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import slimvox.backend.NativeFunction;

/**
 * What the driver says about itself and its cards, asked before any of JCuda's code is loaded: that
 * does not survive the absence of a driver.
 *
 * @param version 1000 major + 10 minor of the CUDA that the driver supports
 * @param cards those that this process may see ({@code CUDA_VISIBLE_DEVICES})
 * @param problem why CUDA cannot be used, in one line that says what to do; null if it can
 */
public record Driver(int version, List<Card> cards, String problem) {
  /** The oldest CUDA 12: code that NVRTC 12.6 makes for a card runs on every driver from it on. */
  static final int OLDEST = 12000;

  /** Turing, the RTX 20 series; NVRTC 13 no longer compiles for older ones. */
  static final int OLDEST_CARD = 75;

  private static final int COMPUTE_CAPABILITY_MAJOR = 75; // CU_DEVICE_ATTRIBUTE_..., cuda.h
  private static final int COMPUTE_CAPABILITY_MINOR = 76;
  private static final int MULTIPROCESSORS = 16;

  /**
   * A card.
   *
   * @param ordinal its number in this process
   * @param capability 10 major + minor of its compute capability
   */
  public record Card(int ordinal, String name, int capability, int multiprocessors, long bytes) {
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%s, compute capability %d.%d, %.1f GiB",
          name,
          capability / 10,
          capability % 10,
          bytes / (double) (1L << 30));
    }
  }

  /** {@code 12.6}. */
  public String versionText() {
    return text(version);
  }

  private static String text(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  /** The first card that is new enough. */
  public Card card() {
    return cards.stream()
        .filter(c -> c.capability() >= OLDEST_CARD)
        .findFirst()
        .orElseThrow(() -> new IllegalStateException(problem));
  }

  /** Asks a driver. */
  public static Driver ask(SymbolLookup library) {
    try (Arena arena = Arena.ofConfined()) {
      return new Questions(library, arena).ask();
    } catch (UnsupportedOperationException e) {
      return new Driver(
          0, List.of(), "libcuda.so.1 is not NVIDIA's driver library: " + e.getMessage());
    }
  }

  private record Questions(SymbolLookup library, Arena arena) {
    private int call(String function, long... arguments) {
      return (int) NativeFunction.find(library, function, arguments.length).call(arguments);
    }

    /** What a function leaves where its first argument points to. */
    private long number(String function, long... more) {
      MemorySegment number = arena.allocate(JAVA_LONG);
      call(function, NativeFunction.with(number.address(), more));
      return number.get(JAVA_LONG, 0);
    }

    Driver ask() {
      int status = call("cuInit", 0);
      int version = (int) number("cuDriverGetVersion");
      if (status != 0) return refused(version, "cuInit", status);
      if (version < OLDEST) {
        return new Driver(
            version,
            List.of(),
            ("the NVIDIA driver is too old: it supports CUDA %s, SlimVox needs 12.0; install driver"
                    + " 525.60 or newer")
                .formatted(text(version)));
      }
      MemorySegment count = arena.allocate(JAVA_INT);
      status = call("cuDeviceGetCount", count.address());
      if (status != 0) return refused(version, "cuDeviceGetCount", status);
      List<Card> cards = IntStream.range(0, count.get(JAVA_INT, 0)).mapToObj(this::card).toList();
      return new Driver(version, cards, problem(cards));
    }

    private static String problem(List<Card> cards) {
      if (cards.isEmpty()) {
        return "the NVIDIA driver shows no card; is CUDA_VISIBLE_DEVICES set to hide it?";
      }
      if (cards.stream().anyMatch(c -> c.capability() >= OLDEST_CARD)) return null;
      Card c = cards.getFirst();
      return "the card is too old: %s has compute capability %d.%d, SlimVox needs 7.5 (RTX 20 series)"
          .formatted(c.name(), c.capability() / 10, c.capability() % 10);
    }

    private Card card(int ordinal) {
      long device = number("cuDeviceGet", ordinal);
      MemorySegment name = arena.allocate(256);
      call("cuDeviceGetName", name.address(), 255, device);
      long major = number("cuDeviceGetAttribute", COMPUTE_CAPABILITY_MAJOR, device);
      long minor = number("cuDeviceGetAttribute", COMPUTE_CAPABILITY_MINOR, device);
      long processors = number("cuDeviceGetAttribute", MULTIPROCESSORS, device);
      long bytes = number("cuDeviceTotalMem_v2", device);
      return new Card(
          ordinal, name.getString(0), (int) (10 * major + minor), (int) processors, bytes);
    }

    private Driver refused(int version, String function, int status) {
      String advice =
          switch (status) {
            case 100 -> "no card is visible; is CUDA_VISIBLE_DEVICES set to hide it?";
            case 803, 804 -> "the driver's parts are of different versions; restart the machine";
            default -> "does nvidia-smi work?";
          };
      String problem =
          "the NVIDIA driver refuses (%s: %s); %s".formatted(function, errorName(status), advice);
      return new Driver(version, List.of(), problem);
    }

    @SuppressWarnings("restricted") // the driver's own text
    private String errorName(int status) {
      MemorySegment text = arena.allocate(ADDRESS);
      int answer = call("cuGetErrorName", status, text.address());
      MemorySegment name = text.get(ADDRESS, 0);
      if (answer != 0 || name.address() == 0) return "error " + status;
      return name.reinterpret(128).getString(0);
    }
  }
}
