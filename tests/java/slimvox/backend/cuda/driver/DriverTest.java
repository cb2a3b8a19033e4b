package slimvox.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.backend.cuda.FakeLibraries;

/** Asks stand-ins for the driver, compiled here, as there may be none. */
class DriverTest {
  @TempDir private Path folder;

  @SuppressWarnings("restricted") // a library of our own making
  private Driver ask(String... macros) throws Exception {
    Path library = FakeLibraries.driver(folder, macros);
    try (Arena arena = Arena.ofConfined()) {
      return Driver.ask(SymbolLookup.libraryLookup(library, arena));
    }
  }

  @Test
  void theCardIsDescribed() throws Exception {
    Driver driver = ask("CARDS=2");
    assertNull(driver.problem());
    assertEquals(2, driver.cards().size());
    assertEquals("12.6", driver.versionText());
    assertEquals("Fake card 0, compute capability 8.6, 1.0 GiB", driver.card().toString());
  }

  @Test
  void aDriverThatIsTooOldIsRefused() throws Exception {
    assertEquals(
        "the NVIDIA driver is too old: it supports CUDA 11.8, SlimVox needs 12.0; install driver"
            + " 525.60 or newer",
        ask("VERSION=11080").problem());
  }

  @Test
  void aCardThatIsTooOldIsRefused() throws Exception {
    assertEquals(
        "the card is too old: Fake card 0 has compute capability 6.1, SlimVox needs 7.5 (RTX 20"
            + " series)",
        ask("MAJOR=6", "MINOR=1").problem());
  }

  @Test
  void hiddenCardsAreExplained() throws Exception {
    assertEquals(
        "the NVIDIA driver shows no card; is CUDA_VISIBLE_DEVICES set to hide it?",
        ask("CARDS=0").problem());
    assertEquals(
        "the NVIDIA driver refuses (cuInit: CUDA_ERROR_NO_DEVICE); no card is visible; is"
            + " CUDA_VISIBLE_DEVICES set to hide it?",
        ask("INIT=100").problem());
  }

  @Test
  void anUnknownErrorHasItsNumber() throws Exception {
    assertEquals(
        "the NVIDIA driver refuses (cuInit: error 999); does nvidia-smi work?",
        ask("INIT=999").problem());
  }
}
