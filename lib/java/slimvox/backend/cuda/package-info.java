/** NVIDIA cards: JCuda's driver interface, cuBLAS, and kernels compiled at run time by NVRTC. */
package slimvox.backend.cuda;
