package slimvox.backend.cuda.libraries;

/**
 * How cuDNN does one pass of one convolution; {@link Cudnn} made it and owns its descriptors.
 *
 * @param pass which of the three
 * @param first descriptor of the first operand, in the order of the pass's function
 * @param second descriptor of the second operand
 * @param convolution descriptor of padding, strides, groups and precision
 * @param result descriptor of the result
 * @param algorithm cuDNN's number of it
 * @param workspace bytes that it needs beside its operands
 */
record CudnnPlan(
    Cudnn.Pass pass,
    long first,
    long second,
    long convolution,
    long result,
    int algorithm,
    long workspace) {}
