package slimvox.backend.cuda.libraries;

import java.util.HashMap;
import java.util.Map;
import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Shape;
import slimvox.backend.Tensor;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.RowGrid;
import slimvox.backend.cuda.kernels.TiledConvolutions;

/**
 * Convolutions by cuDNN, and by our own kernels where cuDNN has no algorithm that fits.
 *
 * <p>Left to our own: what is a matrix product as it is, which is cuBLAS's, and depthwise
 * convolutions and those of one channel, which take as long as memory. Each pass of each geometry
 * is chosen once, when its workspace is first asked for. That holds the weight in cuDNN's order (O,
 * kH, kW, I) and cuDNN's own workspace, and is never smaller than what our kernels need: they can
 * still step in when cuDNN refuses at the launch.
 */
public final class CudnnConvolutions implements Convolutions.Kernels {
  private static final long ALIGNMENT = 256;
  private static final int ROWS_PER_THREAD = 4;

  private record Key(Convolution geometry, Cudnn.Pass pass) {}

  /** How a pass is done: by our kernels where there is no plan, for the reason given. */
  private record Choice(Cudnn.Plan plan, long bytes, String reason) {}

  private final Cudnn cudnn;
  private final Convolutions.Kernels own;
  private final Launcher launcher;
  private final Map<Key, Choice> choices = new HashMap<>();

  /** cuDNN before {@code own}; all three on the same stream. */
  public CudnnConvolutions(Cudnn cudnn, Convolutions.Kernels own, Launcher launcher) {
    this.cudnn = cudnn;
    this.own = own;
    this.launcher = launcher;
  }

  // ---- choice

  private Choice choice(Convolution g, Cudnn.Pass pass) {
    return choices.computeIfAbsent(new Key(g, pass), this::choose);
  }

  private Choice choose(Key key) {
    Convolution g = key.geometry;
    long ownBytes = ownWorkspace(g, key.pass);
    String reason = leftToOwn(g);
    if (reason != null) return new Choice(null, ownBytes, reason);
    try {
      Cudnn.Plan plan = cudnn.plan(g, key.pass);
      return new Choice(plan, Math.max(ownBytes, bytes(g, plan.workspace())), null);
    } catch (CudnnFailure e) {
      return new Choice(null, ownBytes, e.getMessage());
    }
  }

  /** Why a convolution is not cuDNN's; null if it may be. */
  private static String leftToOwn(Convolution g) {
    if (TiledConvolutions.isProduct(g)) return "a matrix product";
    if (g.groups() > 1 && g.inChannels() == g.groups()) return "a depthwise convolution";
    return TiledConvolutions.isStrips(g) ? "a convolution of one channel" : null;
  }

  /** What a pass needs with so much workspace for cuDNN itself. */
  private static long bytes(Convolution g, long workspace) {
    long bytes = reorderedBytes(g) + workspace;
    return bytes > 0 ? bytes + ALIGNMENT : 0; // the block may begin between two multiples of it
  }

  /**
   * The most that a pass of a convolution can need on any card.
   *
   * @param own bytes of our own kernels
   * @param limit the most that cuDNN itself may be given
   */
  public static long most(Convolution g, long own, long limit) {
    return leftToOwn(g) == null ? Math.max(own, bytes(g, limit)) : own;
  }

  private long ownWorkspace(Convolution g, Cudnn.Pass pass) {
    return switch (pass) {
      case FORWARD -> own.forwardWorkspace(g);
      case BACKWARD_DATA -> own.backwardDataWorkspace(g);
      case BACKWARD_WEIGHT -> own.backwardWeightWorkspace(g);
    };
  }

  /** Why cuDNN does not do this pass; null if it does. */
  public String reason(Convolution g, Cudnn.Pass pass) {
    return choice(g, pass).reason;
  }

  /** The algorithm that was chosen, with the workspace that cuDNN itself needs; null if none. */
  Cudnn.Plan plan(Convolution g, Cudnn.Pass pass) {
    return choice(g, pass).plan;
  }

  /**
   * Runs a pass by cuDNN.
   *
   * @return whether it did; if not, our own kernels have to, from now on
   */
  private boolean run(
      Convolution g, Cudnn.Plan plan, long first, long second, long result, boolean add, long at) {
    try {
      cudnn.run(plan, () -> text(g), first, second, result, add, at);
      return true;
    } catch (CudnnFailure e) {
      Key key = new Key(g, plan.pass());
      choices.put(key, new Choice(null, choices.get(key).bytes, e.getMessage()));
      return false;
    }
  }

  private static String text(Convolution g) {
    return "a convolution of %s by %s, strides %d and %d, groups %d"
        .formatted(g.inShape(), g.weightShape(), g.strideHeight(), g.strideWidth(), g.groups());
  }

  // ---- weights in cuDNN's order

  private static boolean isReordered(Convolution g) {
    return g.kernelHeight() * g.kernelWidth() > 1 && g.inChannels() > g.groups();
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  private static long reorderedBytes(Convolution g) {
    return isReordered(g) ? aligned(4 * g.weightShape().size()) : 0;
  }

  /** O, I, taps to O, taps, I, or back: a filter is a frame to the kernel, its taps channels. */
  private void reorder(String kernel, Convolution g, long from, long to, Object... accumulate) {
    int channels = g.inChannels() / g.groups();
    int taps = g.kernelHeight() * g.kernelWidth();
    RowGrid grid = RowGrid.of(g.outChannels(), channels * taps, ROWS_PER_THREAD);
    Shape frames = Shape.of(g.outChannels(), channels, 1, taps);
    launcher.launch(kernel, grid.grid(), from, to, frames, accumulate, grid.rowsPerBlock());
  }

  // ---- the three passes

  @Override
  public long forwardWorkspace(Convolution g) {
    return choice(g, Cudnn.Pass.FORWARD).bytes;
  }

  @Override
  public void forward(
      Convolution g, Tensor x, Channels c, Tensor weight, Tensor y, Tensor workspace) {
    boolean plain = c == null; // cuDNN reads x as it is
    if (plain && forward(g, x, weight, y, false, workspace)) return;
    own.forward(g, x, c, weight, y, workspace);
  }

  @Override
  public void forwardAdd(Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    if (!forward(g, x, weight, y, true, workspace)) own.forwardAdd(g, x, weight, y, workspace);
  }

  @Override
  public boolean subtracts(Convolution g) {
    return own.subtracts(g);
  }

  @Override
  public void forwardSubtract(Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    own.forwardSubtract(g, x, weight, y, workspace);
  }

  @Override
  public boolean normalizes(Convolution g) {
    return own.normalizes(g);
  }

  private boolean forward(
      Convolution g, Tensor x, Tensor weight, Tensor y, boolean add, Tensor workspace) {
    Cudnn.Plan plan = plan(g, Cudnn.Pass.FORWARD);
    if (plan == null) return false;
    long start = start(workspace);
    long filter = filter(g, weight, start);
    return run(g, plan, x.address(), filter, y.address(), add, start + reorderedBytes(g));
  }

  private static long start(Tensor workspace) {
    return workspace == null ? 0 : aligned(workspace.address());
  }

  /** The address of the weight in cuDNN's order: where it is, or at {@code start}. */
  private long filter(Convolution g, Tensor weight, long start) {
    if (!isReordered(g)) return weight.address();
    reorder("frames_first", g, weight.address(), start);
    return start;
  }

  @Override
  public long backwardDataWorkspace(Convolution g) {
    return choice(g, Cudnn.Pass.BACKWARD_DATA).bytes;
  }

  @Override
  public void backwardData(Convolution g, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {
    Cudnn.Plan plan = plan(g, Cudnn.Pass.BACKWARD_DATA);
    if (plan != null) {
      long start = start(workspace);
      long filter = filter(g, weight, start);
      long at = start + reorderedBytes(g);
      if (run(g, plan, filter, dy.address(), dx.address(), false, at)) return;
    }
    own.backwardData(g, dy, weight, dx, workspace);
  }

  @Override
  public long backwardWeightWorkspace(Convolution g) {
    return choice(g, Cudnn.Pass.BACKWARD_WEIGHT).bytes;
  }

  @Override
  public void backwardWeight(
      Convolution g,
      Tensor x,
      Channels c,
      Tensor dy,
      Tensor dweight,
      boolean accumulate,
      Tensor workspace) {
    Cudnn.Plan plan = c == null ? plan(g, Cudnn.Pass.BACKWARD_WEIGHT) : null;
    if (plan != null) {
      long start = start(workspace);
      boolean direct = !isReordered(g);
      long to = direct ? dweight.address() : start;
      long at = start + reorderedBytes(g);
      if (run(g, plan, x.address(), dy.address(), to, direct && accumulate, at)) {
        if (!direct) {
          reorder("frames_first_backward", g, start, dweight.address(), accumulate);
        }
        return;
      }
    }
    own.backwardWeight(g, x, c, dy, dweight, accumulate, workspace);
  }
}
