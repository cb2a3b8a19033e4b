/**
 * What the notebook kernel adds to a plain Java kernel: help and completion in cells, errors in
 * plain words, printing in batches, a stop that stops. {@code
 * lib/kernel/slimvox/kernel/SlimVoxKernel.java} joins it to JJava.
 */
package slimvox.kernel;
