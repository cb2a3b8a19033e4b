package slimvox.backend;

/**
 * The numbers of one step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019),
 * PyTorch's rule.
 *
 * <p>Adam: g = gradient + weightDecay p. AdamW ({@code decoupled}): p = p (1 - learningRate
 * weightDecay), g = gradient. Then m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p =
 * p - learningRate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
 *
 * @param step t, from 1
 */
public record AdamStep(
    double learningRate,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    boolean decoupled,
    long step) {}
