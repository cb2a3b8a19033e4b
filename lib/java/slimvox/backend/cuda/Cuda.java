package slimvox.backend.cuda;

import java.lang.foreign.SymbolLookup;
import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Device;
import slimvox.backend.cuda.driver.CacheFolder;
import slimvox.backend.cuda.driver.Driver;
import slimvox.backend.cuda.driver.KernelSource;
import slimvox.backend.cuda.driver.OpenCard;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.kernels.TiledConvolutions;
import slimvox.backend.cuda.kernels.TiledProducts;
import slimvox.backend.cuda.libraries.CudaLibraries;
import slimvox.backend.cuda.libraries.CudnnFound;
import slimvox.backend.cuda.libraries.Library;
import slimvox.backend.cuda.libraries.Surroundings;

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
  private record Look(CudaLibraries libraries, Driver driver, CudnnFound cudnn, Finding finding) {
    static Look around(Surroundings around) {
      String system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
      if (!system.equals("Linux amd64")) {
        String problem = "the CUDA backend needs Linux on x86-64, this is " + system;
        return none(null, problem, List.of());
      }
      CudaLibraries libraries = CudaLibraries.find(around);
      if (!libraries.has(Library.DRIVER)) {
        return none(libraries, libraries.problem(), libraries.lines());
      }
      Driver driver;
      try {
        SymbolLookup library = libraries.open(Library.DRIVER);
        driver = Driver.ask(library);
      } catch (UnsupportedOperationException e) {
        return none(libraries, e.getMessage(), libraries.lines());
      }
      String problem = driver.problem() != null ? driver.problem() : libraries.problem();
      CudnnFound cudnn = problem == null ? CudnnFound.of(libraries, around) : CudnnFound.NONE;
      List<String> details = new ArrayList<>(libraries.lines());
      driver.cards().forEach(card -> details.add("card " + card.ordinal() + ": " + card));
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
      return new Look(libraries, driver, cudnn, new Finding(problem == null, text, details));
    }

    private static Look none(CudaLibraries libraries, String problem, List<String> details) {
      Finding finding = new Finding(false, problem, details);
      return new Look(libraries, null, CudnnFound.NONE, finding);
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
    return open(tf32, requireUsable().cudnn());
  }

  /** The same with another choice about cuDNN than {@link #cudnn()}. */
  static Device open(boolean tf32, CudnnFound cudnn) {
    OpenCard card = card(tf32, cudnn, KernelSource.all(), KernelSource.headers());
    MatrixProducts products = card.cublas();
    if (products == null) products = new TiledProducts(card.launcher());
    return new CudaDevice(
        card.description(),
        card.memory(),
        card.launcher(),
        products,
        card.convolutions(new TiledConvolutions(card.launcher(), products, tf32)),
        card);
  }

  /**
   * A device that only says how much workspace the operations of a card need, on any machine: with
   * cuBLAS and our own convolutions. Tensors that are given to it cannot be computed with.
   */
  public static Device workspaces() {
    return NoCard.device(0);
  }

  /**
   * The same with cuDNN for convolutions: each pass that it may do has as much workspace as it is
   * allowed (16 MiB, or what {@code SLIMVOX_CUDNN} says), which no card exceeds.
   */
  public static Device mostWorkspaces() {
    return NoCard.device(CudnnFound.limit(Surroundings.real()));
  }

  /** What was found of cuDNN. */
  public static CudnnFound cudnn() {
    return look().cudnn();
  }

  /** Opens the card that {@link #find} found, with these kernels. */
  public static OpenCard card(
      boolean tf32,
      CudnnFound cudnn,
      List<KernelSource> sources,
      List<KernelSource.Header> headers) {
    Look found = requireUsable();
    return new OpenCard(
        found.libraries(), found.driver(), CacheFolder.ofUser(), sources, headers, tf32, cudnn);
  }

  private static Look requireUsable() {
    Look found = look();
    if (found.finding().usable()) return found;
    throw new UnsupportedOperationException(found.finding().description());
  }
}
