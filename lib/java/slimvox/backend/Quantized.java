package slimvox.backend;

/**
 * Numbers held as codes of one byte, with one scale for each block of them.
 *
 * <p>x[i] = book.value(codes[i]) absmax[i / block]. Blocks are consecutive in the flattened tensor;
 * the last one may be shorter. absmax is the largest |x| of its block. With {@code block} at least
 * the number of elements the whole tensor has one scale.
 *
 * <p>To quantize: code = book.code(x, x / absmax): the nearest, but not that of zero for a number
 * above zero in a book that begins with it; see {@link CodeBook}. A quotient is taken as x (1 /
 * absmax) in whole blocks and x / absmax in a shorter last one, with absmax as at least 1e-38,
 * which a shorter last block also stores. That is how bitsandbytes' portable quantizer rounds, so
 * that codes equal its codes also where a quotient lies within a rounding of a mid-point.
 *
 * @param codes uint8
 * @param absmax float32, one for each block
 * @param block elements that share a scale, at least 1
 */
public record Quantized(Tensor codes, Tensor absmax, CodeBook book, int block) {
  /** What absmax is taken as, at least, when numbers are divided by it. */
  public static final float LEAST_SCALE = 1e-38f;

  /** What is stored as the scale of a block. */
  public static float storedScale(float absmax, boolean whole) {
    return whole ? absmax : Math.max(absmax, LEAST_SCALE);
  }

  public Quantized {
    if (block < 1) throw new IllegalArgumentException(codes + ": a block of " + block);
    if (codes.type() != DataType.UINT8
        || absmax.type() != DataType.FLOAT32
        || absmax.size() != blocks(codes.size(), block)) {
      throw new IllegalArgumentException(
          "%s in blocks of %d needs %d scales; %s and %s do not belong together"
              .formatted(codes, block, blocks(codes.size(), block), codes, absmax));
    }
  }

  /** Number of blocks of {@code size} elements. */
  public static int blocks(long size, int block) {
    return Math.toIntExact((size + block - 1) / block);
  }

  /** Number of blocks. */
  public int blocks() {
    return blocks(codes.size(), block);
  }
}
