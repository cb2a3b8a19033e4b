package slimvox.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintStream;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PrintedTextTest {
  private static final String MOST = "x".repeat(64 * 1024);

  private final PrintedText printed = new PrintedText();
  private final List<String> sent = new CopyOnWriteArrayList<>();

  @AfterEach
  void forgetInterrupt() {
    Thread.interrupted();
  }

  @Test
  void changesOfTheStreamWaitAsLongTextsDo() {
    PrintStream out = printed.stream(text -> sent.add("out " + text));
    PrintStream err = printed.stream(text -> sent.add("err " + text));
    long startedNs = System.nanoTime();
    for (int i = 0; i < 200; i++) {
      out.print(i);
      err.print(i);
    }
    printed.flush();
    assertEquals(
        IntStream.range(0, 200)
            .mapToObj(i -> "out " + i + ", err " + i)
            .collect(Collectors.joining(", ")),
        String.join(", ", sent));
    double seconds = (System.nanoTime() - startedNs) * 1e-9;
    assertTrue(sent.size() / seconds < 800, sent.size() + " messages in " + seconds + " s");
  }

  @Test
  void aThreadThatIsAskedToEndSendsFirst() {
    PrintStream out =
        printed.stream(text -> sent.add(text + Thread.currentThread().isInterrupted()));
    out.print(MOST);
    Thread.currentThread().interrupt();
    out.print(MOST); // would have to wait
    assertTrue(Thread.interrupted(), "the request to end is lost");
    assertEquals(List.of(MOST + false, MOST + false), sent);
  }

  @Test
  void whoIsAskedToEndWhileSendingIsAskedLater() {
    class ZMQException extends RuntimeException {}
    Consumer<String> closed =
        text -> {
          throw new ZMQException();
        };
    printed.stream(closed).print(MOST);
    assertTrue(Thread.interrupted(), "the request to end is lost");
    printed.stream(sent::add).print("after");
    assertFalse(Thread.currentThread().isInterrupted());
    printed.flush();
    assertEquals(List.of("after"), sent);
  }
}
