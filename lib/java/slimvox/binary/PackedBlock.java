package slimvox.binary;

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
    boolean reshapes = first.stride() != 1 || first.in() != first.out();
    if (reshapes != (shortcut != null)
        || second.in() != first.out()
        || second.out() != first.out()
        || second.stride() != 1
        || (shortcut != null && !bringsTo(first, shortcut))) {
      throw new IllegalArgumentException(name + ": convolutions that do not fit together");
    }
    if (ofSigns != (takesSigns(first) || takesSigns(second))) {
      throw new IllegalArgumentException(
          name + ": a block is one of signs if one of its convolutions takes signs, else not");
    }
  }

  private static boolean takesSigns(PackedConvolution convolution) {
    return convolution.form() == WeightForm.W1A1;
  }

  /** Whether a shortcut makes of the same float input a plane of the same shape. */
  private static boolean bringsTo(PackedConvolution first, PackedConvolution shortcut) {
    return shortcut.in() == first.in()
        && shortcut.out() == first.out()
        && shortcut.stride() == first.stride()
        && !takesSigns(shortcut);
  }
}
