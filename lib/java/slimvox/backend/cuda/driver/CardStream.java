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

  /** Notes a launch, so that a later error can be traced to it. */
  void launched(String what);
}
