/** Update rules of optimizers, on float32 and on 8-bit state. */
package slimvox.backend.cpu.optim;
