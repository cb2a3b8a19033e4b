package slimvox.backend;

/**
 * Additive angular margin (Deng et al. 2019, arXiv 1801.07698) as WeSpeaker's ArcMarginProduct.
 *
 * <p>For the label's cosine c, clamped to &plusmn;(1 - 1e-7): phi = c cos m - sqrt(1 - c^2) sin m
 * if c &gt; cos(pi - m), else c - (1 + cos(pi - m)), which is continuous there. With {@code
 * easyMargin}, phi = c cos m - sqrt(1 - c^2) sin m if c &gt; 0, else c. All other cosines stay as
 * they are; everything is multiplied by {@code scale}.
 *
 * <p>WeSpeaker does not clamp, so its gradient is NaN at c = &plusmn;1; here the gradient is 0
 * outside the clamp.
 *
 * @param margin m in radians
 * @param scale s
 * @param easyMargin apply the margin only where the angle is below 90 degrees
 */
public record AngularMargin(float margin, float scale, boolean easyMargin) {
  /** The largest cosine that is not clamped. */
  public static final float LIMIT = 1 - 1e-7f;
}
