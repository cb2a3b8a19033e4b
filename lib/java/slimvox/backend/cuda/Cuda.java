package slimvox.backend.cuda;

import java.lang.foreign.SymbolLookup;
import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Device;

/** Whether this machine can train on an NVIDIA card, and if not, why. */
public final class Cuda {
  /**
   * What was found.
   *
   * @param usable whether a card can be opened
   * @param description the card and libraries, or why CUDA is not used and what to do, in one line
   * @param details a line for each library: where it is
   */
  public record Finding(boolean usable, String description, List<String> details) {}

  private static Look look;

  private Cuda() {}

  /** The search and its results; JCuda is not touched by it. */
  private record Look(CudaLibraries libraries, Driver driver, Finding finding) {
    static Look around(Surroundings around) {
      String system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
      if (!system.equals("Linux amd64")) {
        String problem = "the CUDA backend needs Linux on x86-64, this is " + system;
        return new Look(null, null, new Finding(false, problem, List.of()));
      }
      CudaLibraries libraries = CudaLibraries.find(around);
      List<String> details = new ArrayList<>(libraries.lines());
      if (!libraries.has(Library.DRIVER)) {
        return new Look(libraries, null, new Finding(false, libraries.problem(), details));
      }
      Driver driver;
      try {
        SymbolLookup library = libraries.open(Library.DRIVER);
        driver = Driver.ask(library);
      } catch (UnsupportedOperationException e) {
        return new Look(libraries, null, new Finding(false, e.getMessage(), details));
      }
      driver.cards().forEach(card -> details.add("card " + card.ordinal() + ": " + card));
      String problem = driver.problem() != null ? driver.problem() : libraries.problem();
      String text =
          problem != null
              ? problem
              : "%s; driver for CUDA %s%s"
                  .formatted(
                      driver.card(),
                      driver.versionText(),
                      libraries.has(Library.CUBLAS)
                          ? ""
                          : "; without cuBLAS, faster with it: " + CudaLibraries.INSTALL);
      return new Look(libraries, driver, new Finding(problem == null, text, details));
    }
  }

  private static synchronized Look look() {
    if (look == null) look = Look.around(Surroundings.real());
    return look;
  }

  /** Looks for a driver, a card and NVIDIA's libraries, once in the life of the process. */
  public static Finding find() {
    return look().finding();
  }

  /** The same for other surroundings. */
  static Finding find(Surroundings around) {
    return Look.around(around).finding();
  }

  /**
   * Opens the card that {@link #find} found.
   *
   * @param tf32 whether factors of matrix products and convolutions may be rounded to TF32
   * @throws UnsupportedOperationException in one line, if there is none or it cannot be opened
   */
  public static Device open(boolean tf32) {
    requireUsable();
    OpenCard card = card(tf32, KernelSource.all(), KernelSource.headers());
    MatrixProducts products = card.cublas();
    if (products == null) products = new TiledProducts(card.launcher());
    return new CudaDevice(
        card.description(),
        card.memory(),
        card.launcher(),
        products,
        new TiledConvolutions(card.launcher(), products, tf32),
        card::driverMemory,
        card::close);
  }

  /** Opens the card that {@link #find} found, with these kernels. */
  static OpenCard card(
      boolean tf32, List<KernelSource> sources, List<KernelSource.Header> headers) {
    Look found = requireUsable();
    return new OpenCard(
        found.libraries(), found.driver(), CacheFolder.ofUser(), sources, headers, tf32);
  }

  private static Look requireUsable() {
    Look found = look();
    if (found.finding().usable()) return found;
    throw new UnsupportedOperationException(found.finding().description());
  }
}
