package slimvox.backend.cuda.kernels;

import slimvox.backend.Convolution;
import slimvox.backend.Convolutions;
import slimvox.backend.Matrices.Product;
import slimvox.backend.Normalization.Channels;
import slimvox.backend.Tensor;

/**
 * Convolutions by our own kernels: lib/cuda/convolution.cu, convolution_weight.cu, grouped.cu.
 *
 * <p>A 1x1 convolution of stride 1 is a matrix product as it is. All other dense ones are implicit
 * products; their only workspaces are the reordered weight and, for the weight gradient, the sums
 * of about 256 blocks, at most 17 MB. Convolutions in groups have kernels of their own.
 */
public class TiledConvolutions implements Convolutions.Kernels {
  private static final int SHORTEST_SPLIT = 256; // pixels
  private static final int ROWS_PER_THREAD = 4; // grouped
  private static final int GROUPED_SUMS = 9; // taps that a thread of grouped.cu adds up
  private static final int GROUPED_BLOCKS = 1024;
  private static final int LONGEST_STRIP = 32; // pixels; each reads two columns more

  private static final Channels NONE = new Channels(null, null, null, null);

  private final Launcher launcher;
  private final MatrixProducts products;
  private final String kind;

  /**
   * Convolutions by our kernels.
   *
   * @param products for 1x1 convolutions of stride 1
   * @param tf32 whether factors may be rounded to TF32 (10 bits of fraction) for tensor cores;
   *     cards without them multiply in float32, as do convolutions in groups and those of few
   *     channels
   */
  public TiledConvolutions(Launcher launcher, MatrixProducts products, boolean tf32) {
    this.launcher = launcher;
    this.products = products;
    this.kind = tf32 ? "tf32_" : "";
  }

  /** Whether a convolution is a matrix product as it is. */
  public static boolean isProduct(Convolution g) {
    return g.groups() == 1
        && taps(g) == 1
        && g.strideHeight() == 1
        && g.strideWidth() == 1
        && g.padHeight() == 0
        && g.padWidth() == 0;
  }

  private static Product forwardProduct(Convolution g) {
    return new Product(false, true, outPixels(g), g.outChannels(), g.inChannels());
  }

  private static Product dataProduct(Convolution g) {
    return new Product(false, false, inPixels(g), g.inChannels(), g.outChannels());
  }

  private static Product weightProduct(Convolution g) {
    return new Product(true, false, g.outChannels(), g.inChannels(), outPixels(g));
  }

  private static int taps(Convolution g) {
    return g.kernelHeight() * g.kernelWidth();
  }

  private static int outPixels(Convolution g) {
    return Math.toIntExact((long) g.batch() * g.outHeight() * g.outWidth());
  }

  private static int inPixels(Convolution g) {
    return Math.toIntExact((long) g.batch() * g.height() * g.width());
  }

  // ---- forward

  @Override
  public long forwardWorkspace(Convolution g) {
    if (isProduct(g)) {
      return products.workspace(forwardProduct(g));
    }
    return g.groups() == 1 && !isStrips(g) ? 4 * g.weightShape().size() : 0;
  }

  @Override
  public void forward(
      Convolution g, Tensor x, Channels c, Tensor weight, Tensor y, Tensor workspace) {
    forward(g, x.address(), c, weight.address(), y.address(), false, address(workspace));
  }

  @Override
  public void forwardAdd(Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    forward(g, x.address(), null, weight.address(), y.address(), true, address(workspace));
  }

  @Override
  public boolean subtracts(Convolution g) {
    return isProduct(g) && products.subtracts();
  }

  @Override
  public void forwardSubtract(Convolution g, Tensor x, Tensor weight, Tensor y, Tensor workspace) {
    products.subtract(
        forwardProduct(g), x.address(), weight.address(), y.address(), address(workspace));
  }

  private static long address(Tensor workspace) {
    return workspace == null ? 0 : workspace.address();
  }

  private void forward(
      Convolution g, long x, Channels c, long weight, long y, boolean add, long scratch) {
    if (isProduct(g)) {
      products.multiply(forwardProduct(g), x, weight, y, add, scratch);
    } else if (isStrips(g)) {
      strips(g, x, c, weight, y, false, add);
    } else if (g.groups() > 1) {
      RowGrid grid = RowGrid.of(outPixels(g), g.outChannels(), ROWS_PER_THREAD);
      groupedLaunch("grouped_forward", grid, g, x, weight, y, outPixels(g), add);
    } else {
      reorder(g, weight, scratch, false);
      ConvolutionWalk.forward(g).launch(launcher, kind, g, x, scratch, y, add);
    }
  }

  @Override
  public boolean normalizes(Convolution g) {
    return g.groups() > 1 && isStrips(g);
  }

  private void reorder(Convolution g, long weight, long workspace, boolean backward) {
    launcher.launch(
        "reorder_weight",
        ElementwiseKernels.ones(g.weightShape().size()),
        weight,
        workspace,
        g.outChannels(),
        g.inChannels(),
        taps(g),
        backward);
  }

  // ---- backward to the data

  @Override
  public long backwardDataWorkspace(Convolution g) {
    if (isProduct(g)) {
      return products.workspace(dataProduct(g));
    }
    return g.groups() == 1 ? 4 * g.weightShape().size() : 0;
  }

  @Override
  public void backwardData(Convolution g, Tensor dy, Tensor weight, Tensor dx, Tensor workspace) {
    long scratch = address(workspace);
    if (isProduct(g)) {
      products.multiply(
          dataProduct(g), dy.address(), weight.address(), dx.address(), false, scratch);
    } else if (g.groups() > 1) {
      if (isStrips(g) && g.strideHeight() == 1) {
        strips(g, dy.address(), null, weight.address(), dx.address(), true, false);
      } else {
        RowGrid grid = RowGrid.of(inPixels(g), g.inChannels(), ROWS_PER_THREAD);
        groupedLaunch(
            "grouped_backward_data",
            grid,
            g,
            dy.address(),
            weight.address(),
            dx.address(),
            inPixels(g));
      }
    } else {
      reorder(g, weight.address(), scratch, true);
      for (int row = 0; row < Math.min(g.strideHeight(), g.height()); row++) {
        for (int column = 0; column < Math.min(g.strideWidth(), g.width()); column++) {
          ConvolutionWalk.backward(g, row, column)
              .launch(launcher, kind, g, dy.address(), scratch, dx.address(), false);
        }
      }
    }
  }

  // ---- backward to the weight

  private static int rowsOfProduct(Convolution g) {
    return taps(g) * g.inChannels();
  }

  private static int weightTile(Convolution g) {
    return g.inChannels() % 4 == 0 ? TiledProducts.tileColumns(g.outChannels()) : 32;
  }

  private static int pixelsPerSplit(Convolution g) {
    int pixels = outPixels(g);
    if (g.groups() > 1 || isStrips(g)) {
      // So that the partial sums of wide layers do not become larger than those of narrow ones.
      int columnBlocks = Grid.blocks(g.outChannels(), 32);
      int splits = Math.max(16, GROUPED_BLOCKS / columnBlocks);
      return Math.max(SHORTEST_SPLIT, Grid.blocks(pixels, splits));
    }
    long tiles =
        (long) Grid.blocks(rowsOfProduct(g), TiledProducts.ROWS)
            * Grid.blocks(g.outChannels(), weightTile(g));
    long splits = Math.max(1, TiledProducts.BLOCKS / tiles);
    return Math.max(SHORTEST_SPLIT, 8 * Grid.blocks(pixels, 8 * splits));
  }

  private static int splits(Convolution g) {
    return Grid.blocks(outPixels(g), pixelsPerSplit(g));
  }

  @Override
  public long backwardWeightWorkspace(Convolution g) {
    if (isProduct(g)) {
      return products.workspace(weightProduct(g));
    }
    return 4L * splits(g) * g.weightShape().size();
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
    long scratch = address(workspace);
    if (isProduct(g)) {
      products.multiply(
          weightProduct(g), dy.address(), x.address(), dweight.address(), accumulate, scratch);
      return;
    }
    int splits = splits(g);
    if (isStrips(g)) {
      splits = stripsWeight(g, x, c, dy, scratch);
    } else if (g.groups() > 1) {
      groupedWeight(g, x.address(), dy.address(), scratch);
    } else {
      int tile = weightTile(g);
      Grid grid =
          new Grid(
              Grid.blocks(rowsOfProduct(g), TiledProducts.ROWS),
              Grid.blocks(g.outChannels(), tile),
              splits,
              TiledProducts.threads(tile),
              1,
              1);
      launcher.launch(
          g.inChannels() % 4 == 0 ? "weight_gradient_" + kind + tile : "weight_gradient_odd",
          grid,
          x,
          dy,
          scratch,
          (long) outPixels(g),
          pixelsPerSplit(g),
          sizes(g),
          stridesAndPadding(g),
          g.kernelWidth(),
          taps(g));
    }
    sumSplits(g, splits, scratch, dweight, accumulate);
  }

  private void sumSplits(
      Convolution g, int splits, long scratch, Tensor dweight, boolean accumulate) {
    launcher.launch(
        "sum_weight_splits",
        RowGrid.ofSums(splits, g.weightShape().size()),
        scratch,
        dweight,
        g.outChannels(),
        g.inChannels() / g.groups(),
        taps(g),
        splits,
        accumulate);
  }

  // ---- groups

  /** Whether strips of four channels do it, see grouped.cu: depthwise, or a first layer's one. */
  public static boolean isStrips(Convolution g) {
    return g.groups() == g.inChannels()
        && (g.groups() == g.outChannels() || g.groups() == 1)
        && g.kernelHeight() == 3
        && g.kernelWidth() == 3
        && g.strideWidth() == 1
        && g.outChannels() % 4 == 0;
  }

  private static String kernel(Convolution g, Channels c) {
    if (g.groups() == 1) return "one_channel_strips";
    return c == null ? "depthwise_strips" : "depthwise_strips_normalized";
  }

  /**
   * How the rows of a result are cut into strips.
   *
   * @param ofRow strips of one row
   * @param length of each, the last of a row perhaps shorter
   * @param count of all rows
   */
  private record Strips(int ofRow, int length, int count) {
    static Strips of(Convolution g, boolean backward) {
      int width = backward ? g.width() : g.outWidth();
      int length = Grid.blocks(width, Grid.blocks(width, LONGEST_STRIP));
      int ofRow = Grid.blocks(width, length);
      int rows = backward ? g.height() : g.outHeight();
      return new Strips(ofRow, length, Math.multiplyExact(g.batch() * rows, ofRow));
    }
  }

  private void strips(
      Convolution g, long source, Channels c, long weight, long to, boolean backward, boolean add) {
    Strips s = Strips.of(g, backward);
    launcher.launch(
        kernel(g, c),
        RowGrid.ofThreads(s.count(), g.outChannels() / 4),
        source,
        weight,
        to,
        s.count(),
        s.ofRow(),
        s.length(),
        backward ? g.outHeight() : g.height(),
        backward ? g.outWidth() : g.width(),
        g.outChannels(),
        backward ? g.height() : g.outHeight(),
        backward ? g.width() : g.outWidth(),
        g.strideHeight(),
        backward ? g.padHeight() - 2 : -g.padHeight(),
        backward ? g.padWidth() - 2 : -g.padWidth(),
        c == null ? NONE : c,
        backward,
        add);
  }

  /** Returns how many partial sums it wrote, no more than {@link #splits}. */
  private int stripsWeight(Convolution g, Tensor x, Channels c, Tensor dy, long workspace) {
    Strips s = Strips.of(g, false);
    int ofBlock = Grid.blocks(s.count(), splits(g));
    RowGrid grid = RowGrid.ofBlocks(s.count(), g.outChannels() / 4, ofBlock);
    launcher.launch(
        kernel(g, c) + "_weight",
        grid.grid(),
        x,
        dy,
        workspace,
        s.count(),
        ofBlock,
        s.ofRow(),
        s.length(),
        g.height(),
        g.width(),
        g.outChannels(),
        g.outHeight(),
        g.outWidth(),
        g.strideHeight(),
        -g.padHeight(),
        -g.padWidth(),
        c == null ? NONE : c);
    return grid.grid().x();
  }

  private void groupedWeight(Convolution g, long x, long dy, long workspace) {
    int sums = taps(g) * (g.inChannels() / g.groups());
    RowGrid grid =
        RowGrid.ofBlocks(outPixels(g), g.outChannels(), pixelsPerSplit(g))
            .deep(Grid.blocks(sums, GROUPED_SUMS));
    groupedLaunch("grouped_backward_weight", grid, g, x, dy, workspace, outPixels(g));
  }

  private void groupedLaunch(
      String kernel,
      RowGrid grid,
      Convolution g,
      long a,
      long b,
      long c,
      int pixels,
      Object... more) {
    launcher.launch(
        kernel,
        grid.grid(),
        a,
        b,
        c,
        pixels,
        grid.rowsPerBlock(),
        sizes(g),
        g.kernelHeight(),
        g.kernelWidth(),
        stridesAndPadding(g),
        g.inChannels() / g.groups(),
        g.outChannels() / g.groups(),
        more);
  }

  private static Object[] sizes(Convolution g) {
    return new Object[] {
      g.height(), g.width(), g.inChannels(), g.outHeight(), g.outWidth(), g.outChannels()
    };
  }

  private static Object[] stridesAndPadding(Convolution g) {
    return new Object[] {g.strideHeight(), g.strideWidth(), g.padHeight(), g.padWidth()};
  }
}
