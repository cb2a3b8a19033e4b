/** A device without arithmetic and memory, which prices a training step of any size. */
package slimvox.backend.dry;
