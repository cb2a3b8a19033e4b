package slimvox.backend.cuda;

import java.util.List;
import slimvox.backend.Device;

/** The devices that are held against the CPU. */
interface Played {
  /** Two devices that must give the same bits. */
  default List<Device> played() {
    HostKernels.load();
    return List.of(HostDevice.open(false), HostDevice.open(true));
  }
}
