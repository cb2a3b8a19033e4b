package slimvox.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import slimvox.backend.Quantized;
import slimvox.backend.Tensor;
import slimvox.models.Weights;
import slimvox.optim.Optimizer;
import slimvox.optim.OptimizerState;
import slimvox.optim.OptimizerStateFormat;
import slimvox.optim.QuantizationError;
import slimvox.step.CheckpointFile;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/**
 * An optimizer's state in a checkpoint.
 *
 * <p>float32 state is one tensor, {@code optimizer.conv1.weight.momentum}; quantized state two,
 * with {@code .codes} (uint8) and {@code .absmax} behind the name. State of the same format comes
 * back to the bit; of another one, by its values.
 *
 * @param format that the file was written in
 */
record OptimizerStateFile(Safetensors file, OptimizerStateFormat format) {
  private static final String PREFIX = CheckpointFile.OPTIMIZER;

  static void write(Optimizer optimizer, SafetensorsWriter writer) {
    for (OptimizerState s : optimizer.state()) {
      for (Map.Entry<String, Tensor> e : s.tensors().entrySet()) {
        Weights.put(writer, PREFIX + e.getKey(), e.getValue());
      }
    }
  }

  /** Refuses a file in which a tensor is missing or does not fit, naming it. */
  void check(Optimizer optimizer) {
    for (OptimizerState s : optimizer.state()) {
      String name = PREFIX + s.name();
      long[] shape = Arrays.stream(s.shape().toArray()).asLongStream().toArray();
      if (format.quantizes(s.shape().size())) {
        requireShape(name + ".codes", "U8", shape);
        checkScales(name, s.shape().size());
      } else {
        requireShape(name, "F32", shape);
      }
    }
  }

  private void requireShape(String name, String type, long[] wanted) {
    if (is(name, type, wanted)) return;
    throw InputException.at(
        file.file(),
        "tensor %s is %s, its parameter wants %s of type %s",
        name,
        found(name),
        Arrays.toString(wanted),
        type);
  }

  private void checkScales(String name, long size) {
    String scales = name + ".absmax";
    int blocks = Quantized.blocks(size, format.blockOf(size));
    if (!is(scales, "F32", blocks)) {
      throw InputException.at(
          file.file(),
          "%s.absmax and .codes do not belong together: %,d codes in blocks of %,d need %,d scales"
              + " of type F32, not %s",
          name,
          size,
          format.blockOf(size),
          blocks,
          found(scales));
    }
    for (float scale : file.floats(scales)) {
      if (!(scale >= 0 && scale < Float.POSITIVE_INFINITY)) {
        throw InputException.at(
            file.file(), "%s holds %s; a scale is at least 0 and finite", scales, scale);
      }
    }
  }

  private boolean is(String name, String type, long... shape) {
    if (!file.has(name)) {
      throw InputException.at(
          file.file(), "no tensor %s, so its optimizer state is not complete", name);
    }
    return file.dtype(name).equals(type) && Arrays.equals(file.shape(name), shape);
  }

  private String found(String name) {
    return Arrays.toString(file.shape(name)) + " of type " + file.dtype(name);
  }

  /** Fills the optimizer's state, of format {@code now}; returns what was lost, or null. */
  String load(Optimizer optimizer, OptimizerStateFormat now) {
    List<QuantizationError> errors = new ArrayList<>();
    for (OptimizerState s : optimizer.state()) {
      if (format.equals(now)) {
        s.tensors().forEach((name, x) -> Weights.upload(file, PREFIX + name, x));
        continue;
      }
      float[] values = values(s);
      s.set(values);
      if (s.isQuantized()) errors.add(QuantizationError.of(s.name(), values, s.values()));
    }
    return format.equals(now) ? null : note(now, errors);
  }

  private float[] values(OptimizerState s) {
    String name = PREFIX + s.name();
    long size = s.shape().size();
    if (!format.quantizes(size)) return file.floats(name);
    return format
        .book(s.isSigned())
        .values(file.bytes(name + ".codes"), file.floats(name + ".absmax"), format.blockOf(size));
  }

  private String note(OptimizerStateFormat now, List<QuantizationError> errors) {
    String change = "optimizer state changes from " + format + " to " + now + ": ";
    if (errors.isEmpty()) {
      return change + "the rounded numbers are taken over, nothing more is lost";
    }
    double mean = errors.stream().mapToDouble(e -> e.mean() * e.count()).sum();
    double vanished = errors.stream().mapToDouble(e -> e.vanished() * e.count()).sum();
    double count = Math.max(1, errors.stream().mapToLong(QuantizationError::count).sum());
    QuantizationError worst =
        errors.stream().max((a, b) -> Double.compare(a.mean(), b.mean())).orElseThrow();
    return change
        + String.format(
            Locale.ROOT,
            "%d tensors are rounded, by %.2f %% of a number on average (%s by %.2f %%), and %.3f %%"
                + " of the numbers become zero; the run will not end in the bits of the one that"
                + " was saved",
            errors.size(),
            100 * mean / count,
            worst.name(),
            100 * worst.mean(),
            100 * vanished / count);
  }
}
