package slimvox.backend.cuda.libraries;

/** cuDNN refused or failed; the message says which function and why. */
public final class CudnnFailure extends RuntimeException {
  private static final long serialVersionUID = 1;
  private static final int BAD_PARAM = 2000; // CUDNN_STATUS_..., cudnn_graph.h; kinds by thousands
  private static final int NOT_SUPPORTED = 3000;
  private static final int INTERNAL_ERROR = 4000;
  private static final int HOST_ALLOCATION_FAILED = 4003;
  private static final int DEVICE_ALLOCATION_FAILED = 4004;

  private final int status;

  CudnnFailure(int status, String message) {
    super(message);
    this.status = status;
  }

  /** For what cuDNN could do, but not in the way that is asked for here. */
  static CudnnFailure unsuitable(String message) {
    return new CudnnFailure(NOT_SUPPORTED, message);
  }

  /** Whether cuDNN said beforehand that it cannot do this; then nothing was launched. */
  boolean isRefusal() {
    return status >= BAD_PARAM && status < INTERNAL_ERROR;
  }

  /** Whether memory was not enough. */
  boolean isOutOfMemory() {
    return status == HOST_ALLOCATION_FAILED || status == DEVICE_ALLOCATION_FAILED;
  }
}
