package slimvox.backend;

/**
 * How long a kernel of a card computed, all its launches together.
 *
 * @param family what it is for, such as {@code convolution}
 * @param kernel its name
 * @param launches how often it was started
 * @param ms milliseconds, with those that the card waited for it
 */
public record KernelTime(String family, String kernel, int launches, double ms) {}
