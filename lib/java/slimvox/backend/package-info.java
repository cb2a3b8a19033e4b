/**
 * Tensors and the primitive operations on them.
 *
 * <p>Operations come in families, such as {@link slimvox.backend.Elementwise}: a file says what
 * each computes, and checks every call once for all devices. {@link slimvox.backend.Device} is what
 * a machine has to provide, {@link slimvox.backend.Operations} all families of a backend, and
 * {@link slimvox.backend.Backend} accounts for every buffer and hands out memory.
 */
package slimvox.backend;
