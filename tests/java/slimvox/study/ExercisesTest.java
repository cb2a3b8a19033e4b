package slimvox.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.DoubleUnaryOperator;
import java.util.regex.Pattern;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import org.junit.jupiter.api.Test;

/** Every exercise of the notebooks: its solutions are right, and its usual mistakes are named. */
class ExercisesTest {
  private static final Path NOTEBOOKS = Path.of("notebooks");
  private static final Pattern CALL = Pattern.compile("(?m)^Check\\.that\\(\"([0-9.]+)\", .*;$");

  private static List<Path> files(Path folder, String ending) throws IOException {
    try (var files = Files.list(folder)) {
      return files.filter(f -> f.toString().endsWith(ending)).sorted().toList();
    }
  }

  /** What the lines of the solutions are answered, by exercise. */
  private static TreeMap<String, List<String>> solved() throws IOException {
    var answers = new TreeMap<String, List<String>>();
    try (JShell shell = JShell.builder().executionEngine("local").build()) {
      shell.addToClasspath(System.getProperty("java.class.path"));
      shell.eval("import slimvox.study.*;");
      for (Path file : files(NOTEBOOKS.resolve("solutions"), ".md")) {
        var call = CALL.matcher(Files.readString(file));
        while (call.find()) {
          assertTrue(file.getFileName().toString().startsWith(call.group(1).substring(0, 2)));
          PrintStream out = System.out;
          var printed = new ByteArrayOutputStream();
          System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
          try {
            var event = shell.eval(call.group()).getFirst();
            assertEquals(Snippet.Status.VALID, event.status(), call.group());
          } finally {
            System.setOut(out);
          }
          answers.merge(
              call.group(1),
              List.of(printed.toString(StandardCharsets.UTF_8).strip()),
              (a, b) -> java.util.stream.Stream.concat(a.stream(), b.stream()).toList());
        }
      }
    }
    return answers;
  }

  @Test
  void everySolutionIsAcceptedInTwoForms() throws IOException {
    var answers = solved();
    assertEquals(new TreeSet<>(Exercise.names()), answers.keySet());
    answers.forEach(
        (name, verdicts) -> {
          assertEquals(2, verdicts.size(), name);
          for (String v : verdicts) assertEquals("exercise " + name + ": right", v);
        });
  }

  @Test
  void threeUsualMistakesOfEachAreNamed() {
    for (String name : Exercise.names()) {
      List<Exercise.Wrong> wrong = Exercise.named(name).wrong();
      assertEquals(3, wrong.size(), name);
      for (Exercise.Wrong w : wrong) {
        assertEquals(
            "exercise " + name + ": not yet: " + w.says(), Check.verdict(name, w.answer()::get));
      }
    }
  }

  @Test
  void everyNotebookAsksThreeOrMoreAndNoneThatIsNotThere() throws IOException {
    var asked = new TreeSet<String>();
    for (Path notebook : files(NOTEBOOKS, ".ipynb")) {
      String number = notebook.getFileName().toString().substring(0, 2);
      var call =
          Pattern.compile("Check\\.that\\(\\\\\"([0-9.]+)\\\\\"")
              .matcher(Files.readString(notebook));
      var here = new TreeSet<String>();
      while (call.find()) here.add(call.group(1));
      assertTrue(here.size() >= 3, notebook + " asks " + here);
      assertTrue(here.stream().allMatch(e -> e.startsWith(number + ".")), notebook + ": " + here);
      asked.addAll(here);
    }
    assertEquals(new TreeSet<>(Exercise.names()), asked);
  }

  @Test
  void anAnswerThatEndsWithAnExceptionIsSurvived() {
    int[] none = {};
    assertEquals(
        "exercise 01.2: your answer ended with java.lang.ArrayIndexOutOfBoundsException: Index 0"
            + " out of bounds for length 0",
        Check.verdict("01.2", () -> none[0]));
    assertEquals(
        "exercise 11.1: your answer ended with java.lang.ArithmeticException: / by zero",
        Check.verdict("11.1", () -> (DoubleUnaryOperator) n -> 1 / none.length));
  }

  @Test
  void otherWrongAnswersGetAHint() {
    assertEquals(
        "exercise 01.2: no answer yet; write it in place of null (in MiB)", ask("01.2", null));
    assertEquals("exercise 01.2: not yet: the sign is wrong", ask("01.2", -1640.6));
    assertEquals("exercise 01.2: not yet: close, but not close enough", ask("01.2", 1690));
    assertEquals("exercise 01.2: not yet: too large", ask("01.2", 5000));
    assertEquals("exercise 01.2: not yet: too small", ask("01.2", 50));
    assertEquals("exercise 08.3: not yet: 2 numbers are asked for, not 1", ask("08.3", 1));
    assertEquals(
        "exercise 08.3: not yet: number 2 is the first that is another one",
        ask("08.3", new double[] {-2.58, 5}));
    assertEquals("exercise 01.2: not yet: numbers are asked for (in MiB)", ask("01.2", "much"));
    assertTrue(
        ask("01.2", "2625 apples").endsWith("'apples' is no unit of this; MiB is asked for"));
    assertTrue(ask("01.3", "24 MiB").endsWith("the answer has no unit, and 'MiB' is none of it"));
    assertEquals("exercise 04.3: not yet: percent or fraction?", ask("04.3", 0.734375));
  }

  @Test
  void percentStandForAShareWhereThereIsNoUnit() {
    assertEquals("exercise 10.1: right", ask("10.1", "66.5 %"));
    assertEquals("exercise 09.2: right", ask("09.2", "7.7 %"));
    assertTrue(ask("09.2", "7.7 kB").startsWith("exercise 09.2: not yet: the answer has no unit"));
  }

  /** The deviation of 08.3 rounded to 0.53 moves a bound near zero by 3 % of itself. */
  @Test
  void aRoundedStepOnTheWayIsAccepted() {
    double half = 4.303 * 0.53 / Math.sqrt(3);
    assertEquals("exercise 08.3: right", ask("08.3", new double[] {-1.26 - half, -1.26 + half}));
  }

  @Test
  void aDecimalCommaIsNotReadAsThousands() {
    assertEquals(
        "exercise 01.1: not yet: '59,3' is not one number: a decimal point is a point",
        ask("01.1", "59,3"));
    assertEquals(
        "exercise 01.2: not yet: '2,62' is not one number: a decimal point is a point",
        ask("01.2", "2,62 GiB"));
    assertEquals("exercise 01.2: right", ask("01.2", "1,640.6 MiB"));
  }

  private static String ask(String name, Object answer) {
    return Check.verdict(name, () -> answer);
  }

  @Test
  void anExerciseThatIsNotThereIsNamed() {
    var e = assertThrows(IllegalArgumentException.class, () -> Check.that("77.1", () -> 1));
    assertTrue(e.getMessage().startsWith("there is no exercise '77.1'; they are 01.1, 01.2"));
  }
}
