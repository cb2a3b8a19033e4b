package slimvox.binary;

import slimvox.backend.packed.LayerShape;
import slimvox.backend.packed.PackedConvolution;

/**
 * A basic block of a ResNet: two convolutions and a shortcut.
 *
 * <p>Ordinary: y = second(first(x)) with the shortcut of x added in {@code second}. Of signs
 * (Bi-Real Net, arXiv 1808.00278): the shortcut of x is added in {@code first}, whose output is
 * added in {@code second}.
 *
 * @param name for example {@code layer1.0}
 * @param ofSigns whether there is a shortcut around each convolution
 * @param shortcut the 1x1 convolution where the shape changes; null for the identity
 */
public record PackedBlock(
    String name,
    boolean ofSigns,
    PackedConvolution first,
    PackedConvolution second,
    PackedConvolution shortcut) {
  public PackedBlock {
    LayerShape a = first.shape();
    LayerShape b = second.shape();
    boolean reshapes = a.stride() != 1 || a.in() != a.out();
    if (reshapes != (shortcut != null)
        || b.in() != a.out()
        || b.out() != a.out()
        || b.stride() != 1
        || (shortcut != null && !bringsTo(a, shortcut.shape()))) {
      throw new IllegalArgumentException(name + ": convolutions that do not fit together");
    }
    if (ofSigns != (a.takesSigns() || b.takesSigns())) {
      throw new IllegalArgumentException(
          name + ": a block is one of signs if one of its convolutions takes signs, else not");
    }
  }

  /** Whether a shortcut makes of the same float input a plane of the same shape. */
  private static boolean bringsTo(LayerShape first, LayerShape shortcut) {
    return shortcut.in() == first.in()
        && shortcut.out() == first.out()
        && shortcut.stride() == first.stride()
        && !shortcut.takesSigns();
  }
}
