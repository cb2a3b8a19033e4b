package slimvox.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.List;
import org.junit.jupiter.api.Test;

class ProcessorTest {
  @Test
  void theFirstProcessorIsNamedWithWhatItCanDo() {
    List<String> two =
        List.of(
            "cpu family\t: 6",
            "model\t\t: 207",
            "model name\t: A Xeon",
            "flags\t\t: fpu avx2 amx_int8 avx512f",
            "",
            "model name\t: Another");
    assertEquals(
        "A Xeon, family 6, model 207 (avx2, avx512f, amx_int8; with AMX)",
        Processor.description(two));
    assertFalse(Processor.description().isBlank());
  }
}
