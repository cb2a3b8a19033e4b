package slimvox.backend.cuda.libraries;

/** A library of NVIDIA's that the CUDA backend can use, by the file name that it has on Linux. */
public enum Library {
  /** The driver's own, which comes with the driver and never with CUDA. */
  DRIVER("libcuda.so.", "1"),
  /** What NVRTC needs beside it; carries the minor version in its name. */
  NVRTC_BUILTINS("libnvrtc-builtins.so.", "12."),
  /** The compiler of kernels. */
  NVRTC("libnvrtc.so.", "12"),
  /** What cuBLAS needs beside it. */
  CUBLAS_LT("libcublasLt.so.", "12"),
  /** Matrix products. */
  CUBLAS("libcublas.so.", "12"),
  /** Convolutions; optional. */
  CUDNN("libcudnn.so.", "9"),
  /** The driver's management library (NVML), for its count of memory; optional. */
  MANAGEMENT("libnvidia-ml.so.", "1");

  private final String anyVersion;
  private final String fileName;

  Library(String anyVersion, String version) {
    this.anyVersion = anyVersion;
    this.fileName = anyVersion + version;
  }

  /** The name it is loaded by, {@code libcublas.so.12}; the builtins' lacks the minor version. */
  String fileName() {
    return fileName;
  }

  /** The part of the name that all versions share, with the dot before the version. */
  String anyVersion() {
    return anyVersion;
  }
}
