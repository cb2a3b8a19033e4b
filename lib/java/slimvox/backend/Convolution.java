package slimvox.backend;

/**
 * The geometry of one two-dimensional convolution.
 *
 * <p>Input N x H x W x I, weight O x I/groups x kH x kW, output N x H' x W' x O with {@code H' = (H
 * + 2 padH - kH) / strideH + 1}, likewise W'. Height is frequency, width is time.
 *
 * @param type of input and output and of their gradients: float32 or bfloat16; the weight, its
 *     gradient and all sums are float32, and a factor is rounded to the type
 */
public record Convolution(
    int batch,
    int height,
    int width,
    int inChannels,
    int outChannels,
    int kernelHeight,
    int kernelWidth,
    int strideHeight,
    int strideWidth,
    int padHeight,
    int padWidth,
    int groups,
    DataType type) {
  public Convolution {
    if (inChannels % groups != 0 || outChannels % groups != 0) {
      throw new IllegalArgumentException(
          inChannels + " -> " + outChannels + " channels cannot be cut into " + groups + " groups");
    }
    if (height + 2 * padHeight < kernelHeight || width + 2 * padWidth < kernelWidth) {
      throw new IllegalArgumentException(
          "an input of %d x %d is smaller than the kernel of %d x %d"
              .formatted(height, width, kernelHeight, kernelWidth));
    }
  }

  /** The same geometry for so many inputs and outputs of a type. */
  public Convolution with(int batch, DataType type) {
    return new Convolution(
        batch,
        height,
        width,
        inChannels,
        outChannels,
        kernelHeight,
        kernelWidth,
        strideHeight,
        strideWidth,
        padHeight,
        padWidth,
        groups,
        type);
  }

  /** The convolution of {@code x} with square kernels {@code w}, the same padding on all sides. */
  public static Convolution of(
      Shape x, Shape w, int strideHeight, int strideWidth, int pad, int groups, DataType type) {
    int in = w.get(1) * groups;
    int out = w.get(0);
    int k = w.get(2);
    int n = x.get(0);
    int height = x.get(1);
    return new Convolution(
        n, height, x.get(2), in, out, k, k, strideHeight, strideWidth, pad, pad, groups, type);
  }

  /** H', the number of frequency rows of the output. */
  public int outHeight() {
    return (height + 2 * padHeight - kernelHeight) / strideHeight + 1;
  }

  /** W', the number of frames of the output. */
  public int outWidth() {
    return (width + 2 * padWidth - kernelWidth) / strideWidth + 1;
  }

  /** N x H x W x I. */
  public Shape inShape() {
    return Shape.of(batch, height, width, inChannels);
  }

  /** O x I/groups x kH x kW. */
  public Shape weightShape() {
    return Shape.of(outChannels, inChannels / groups, kernelHeight, kernelWidth);
  }

  /** N x H' x W' x O. */
  public Shape outShape() {
    return Shape.of(batch, outHeight(), outWidth(), outChannels);
  }

  /** Multiply-adds of one forward pass, padding counted as work. */
  public long multiplyAdds() {
    return outShape().size() * (inChannels / groups) * kernelHeight * kernelWidth;
  }
}
