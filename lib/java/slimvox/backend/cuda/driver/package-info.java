/** NVIDIA's driver: context, memory, streams, compiled kernels. */
package slimvox.backend.cuda.driver;
