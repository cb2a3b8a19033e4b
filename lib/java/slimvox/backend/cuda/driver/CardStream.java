package slimvox.backend.cuda.driver;

/** The stream of a card on which a library is to compute; {@link CudaContext} in earnest. */
public interface CardStream {
  /** The stream's handle, as the driver knows it. */
  long address();

  /**
   * Makes the card the calling thread's; before every call of the library.
   *
   * @throws slimvox.backend.DeviceException if the card has failed before
   */
  void enter();

  /**
   * Gives the card a call, or keeps it back as a part of a step that runs as one.
   *
   * @param key calls with equal keys do the same
   */
  void queue(Runnable call, Object... key);

  /** Whether calls are kept back. */
  boolean keepsBack();

  /** Gives the card what was kept back: somebody wants to know how it ends. */
  void issue();

  /** Notes a launch, so that a later error can be traced to it. */
  void launched(String what);

  /**
   * A call of a library has failed: throws what the driver knows, since an error of the card shows
   * at whatever is called next. Returns where the fault is the library's own.
   *
   * @param what was called
   * @param outOfMemory whether the library says that memory was not enough
   * @throws slimvox.backend.OutOfDeviceMemoryException if the card is full
   * @throws slimvox.backend.DeviceException if the card has failed
   */
  void libraryFailed(String what, boolean outOfMemory);
}
