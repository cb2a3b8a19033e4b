/** cuBLAS, cuDNN and where a machine has them. */
package slimvox.backend.cuda.libraries;
