/**
 * Tensors and the primitive operations on them.
 *
 * <p>{@link slimvox.backend.Device} is what a machine has to provide, {@link
 * slimvox.backend.Operations} checks every call once for all devices, and {@link
 * slimvox.backend.Backend} accounts for every buffer and hands out memory.
 */
package slimvox.backend;
