package slimvox.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import slimvox.backend.Device;
import slimvox.backend.cuda.driver.Driver;
import slimvox.backend.cuda.driver.KernelSource;
import slimvox.backend.cuda.driver.OpenCard;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.kernels.TiledConvolutions;
import slimvox.backend.cuda.kernels.TiledProducts;
import slimvox.backend.cuda.libraries.CudaLibraries;
import slimvox.backend.cuda.libraries.CudnnFound;
import slimvox.backend.cuda.libraries.Environment;
import slimvox.backend.cuda.libraries.Library;

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

  private static Search search;

  private Cuda() {}

  /** The search and its results; JCuda is not touched by it. */
  private record Search(CudaLibraries libraries, Driver driver, CudnnFound cudnn, Finding finding) {
    static Search in(Environment environment) {
      String system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
      if (!system.equals("Linux amd64")) {
        return none("the CUDA backend needs Linux on x86-64, this is " + system, List.of());
      }
      CudaLibraries libraries = CudaLibraries.find(environment);
      if (!libraries.has(Library.DRIVER)) return none(libraries.problem(), libraries.lines());
      Driver driver;
      try {
        driver = Driver.ask(libraries.open(Library.DRIVER));
      } catch (UnsupportedOperationException e) {
        return none(e.getMessage(), libraries.lines());
      }
      String problem = driver.problem() != null ? driver.problem() : libraries.problem();
      CudnnFound cudnn = problem == null ? CudnnFound.of(libraries, environment) : CudnnFound.NONE;
      List<String> details = new ArrayList<>(libraries.lines());
      driver.cards().forEach(card -> details.add("card " + card.ordinal() + ": " + card));
      if (problem != null) return none(problem, details);
      String cublas =
          libraries.has(Library.CUBLAS)
              ? ""
              : "; without cuBLAS, faster with it: " + CudaLibraries.INSTALL;
      String text = driver.card() + "; driver for CUDA " + driver.versionText() + cublas;
      return new Search(libraries, driver, cudnn, new Finding(true, text, details));
    }

    private static Search none(String problem, List<String> details) {
      return new Search(null, null, CudnnFound.NONE, new Finding(false, problem, details));
    }
  }

  private static synchronized Search search() {
    if (search == null) search = Search.in(Environment.real());
    return search;
  }

  /** Looks for a driver, a card and NVIDIA's libraries, once in the life of the process. */
  public static Finding find() {
    return search().finding();
  }

  /** The same in another environment. */
  static Finding find(Environment environment) {
    return Search.in(environment).finding();
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
    OpenCard card = card(tf32, cudnn, KernelSource.all());
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
    return new NoCard(0);
  }

  /**
   * The same with cuDNN for convolutions: each pass that it may do has as much workspace as it is
   * allowed (16 MiB, or what {@code SLIMVOX_CUDNN} says), which no card exceeds.
   */
  public static Device mostWorkspaces() {
    return new NoCard(CudnnFound.limit(Environment.real()));
  }

  /** What was found of cuDNN. */
  public static CudnnFound cudnn() {
    return search().cudnn();
  }

  /** Opens the card that {@link #find} found, with these kernels. */
  public static OpenCard card(boolean tf32, CudnnFound cudnn, List<KernelSource> sources) {
    Search found = requireUsable();
    return new OpenCard(found.libraries(), found.driver(), sources, tf32, cudnn);
  }

  private static Search requireUsable() {
    Search found = search();
    if (found.finding().usable()) return found;
    throw new UnsupportedOperationException(found.finding().description());
  }
}
