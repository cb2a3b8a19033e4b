package slimvox.backend.cuda;

import java.util.List;
import java.util.Map;
import slimvox.backend.Convolutions;
import slimvox.backend.Device;
import slimvox.backend.Elementwise;
import slimvox.backend.Hardware;
import slimvox.backend.Hardware.KernelTime;
import slimvox.backend.cuda.kernels.BatchNormKernels;
import slimvox.backend.cuda.kernels.BinaryKernels;
import slimvox.backend.cuda.kernels.DeviceMemory;
import slimvox.backend.cuda.kernels.ElementwiseKernels;
import slimvox.backend.cuda.kernels.Launcher;
import slimvox.backend.cuda.kernels.ManyTensors;
import slimvox.backend.cuda.kernels.MarginKernels;
import slimvox.backend.cuda.kernels.MatrixKernels;
import slimvox.backend.cuda.kernels.MatrixProducts;
import slimvox.backend.cuda.kernels.OptimizerKernels;
import slimvox.backend.cuda.kernels.OwnMemory;
import slimvox.backend.cuda.kernels.PackedKernels;
import slimvox.backend.cuda.kernels.PoolingKernels;
import slimvox.backend.cuda.kernels.RearrangementKernels;

/**
 * An NVIDIA card: every operation of {@link Device} as launches of the kernels of lib/cuda.
 *
 * <p>It knows nothing of how memory is reserved and kernels are started ({@link DeviceMemory},
 * {@link Launcher}), so that the same code runs in tests on a machine without a card. Operations
 * are queued; only downloads and {@link Elementwise.Kernels#firstNotFinite} wait. Nothing is summed
 * with atomics: the same calls give the same bits on the same card.
 *
 * <p>A label that is no class makes its row's loss NaN, where the CPU throws.
 */
public final class CudaDevice implements Device {
  private final String description;
  private final DeviceMemory memory;
  private final Launcher launcher;
  private final MatrixProducts products;
  private final Convolutions.Kernels convolutions;
  private final Hardware hardware;
  private final OwnMemory own;
  private final ManyTensors many;
  private boolean closed;

  /**
   * A card.
   *
   * @param description one line about card and libraries
   * @param hardware what the parts run on; closed with the device
   */
  CudaDevice(
      String description,
      DeviceMemory memory,
      Launcher launcher,
      MatrixProducts products,
      Convolutions.Kernels convolutions,
      Hardware hardware) {
    this.description = description;
    this.memory = memory;
    this.launcher = launcher;
    this.products = products;
    this.convolutions = convolutions;
    this.hardware = hardware;
    own = new OwnMemory(memory);
    many = new ManyTensors(launcher, own);
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  public boolean queues() {
    return true;
  }

  @Override
  public void asOne(Runnable step) {
    hardware.asOne(step);
  }

  @Override
  public long graphBytes() {
    return hardware.graphBytes();
  }

  @Override
  public Map<String, Long> driverMemory() {
    return hardware.driverMemory();
  }

  @Override
  public void timeKernels() {
    hardware.timeKernels();
  }

  @Override
  public List<KernelTime> kernelTimes() {
    return hardware.kernelTimes();
  }

  @Override
  public Memory memory() {
    return memory;
  }

  @Override
  public long ownBytes() {
    return OwnMemory.BYTES;
  }

  @Override
  public Families kernels() {
    return new Families(
        new ElementwiseKernels(launcher, memory, own, many),
        new MatrixKernels(launcher, products, own),
        convolutions,
        new BatchNormKernels(launcher, own),
        new RearrangementKernels(launcher),
        new PoolingKernels(launcher),
        new MarginKernels(launcher, own),
        new BinaryKernels(launcher, own),
        new OptimizerKernels(launcher, own, many),
        new PackedKernels(launcher));
  }

  @Override
  public void together(Runnable work) {
    many.together(work);
  }

  @Override
  public void close() {
    if (closed) return;
    closed = true;
    own.close();
    hardware.close();
  }
}
