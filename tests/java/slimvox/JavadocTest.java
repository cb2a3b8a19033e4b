package slimvox;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.DocumentationTool;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Javadoc tool has nothing to complain of, and every public method has a comment. */
class JavadocTest {
  @Test
  void publicMethodsAreDocumented(@TempDir Path out) throws Exception {
    assertEquals(List.of(), faults(out, "lib/java", "lib/bench", "lib/study"));
  }

  /**
   * What it is compiled against is installed beside JupyterLab: here only comments are looked at.
   */
  @Test
  void theKernelIsDocumented(@TempDir Path out) throws Exception {
    assertEquals(List.of(), faults(out, "lib/kernel", "--ignore-source-errors"));
  }

  /**
   * What the Javadoc tool says of the sources below some folders; words with -- are its options.
   */
  private static List<String> faults(Path out, String... words) throws IOException {
    List<String> options = new ArrayList<>(List.of("-quiet", "-d", out.toString()));
    options.addAll(List.of("--add-modules", "jdk.incubator.vector"));
    options.addAll(List.of("-cp", System.getProperty("java.class.path")));
    options.addAll(List.of("-Xdoclint:all", "-Xmaxwarns", "9999"));
    List<Path> sources = new ArrayList<>();
    for (String word : words) {
      if (word.startsWith("--")) {
        options.add(word);
        continue;
      }
      try (var files = Files.walk(Path.of(word))) {
        files.filter(f -> f.toString().endsWith(".java")).forEach(sources::add);
      }
    }
    DocumentationTool tool = ToolProvider.getSystemDocumentationTool();
    DiagnosticCollector<JavaFileObject> told = new DiagnosticCollector<>();
    try (StandardJavaFileManager files = tool.getStandardFileManager(told, null, null)) {
      Iterable<? extends JavaFileObject> units = files.getJavaFileObjectsFromPaths(sources);
      tool.getTask(null, files, told, null, options, units).call();
    }
    boolean anyCode = !options.contains("--ignore-source-errors");
    List<String> faults = new ArrayList<>();
    for (Diagnostic<? extends JavaFileObject> d : told.getDiagnostics()) {
      boolean ofComment = d.getCode().endsWith("proc.messager");
      if (d.getSource() != null && (anyCode || ofComment) && isFault(d)) {
        faults.add(d.getSource().getName() + ":" + d.getLineNumber() + ": " + d.getMessage(null));
      }
    }
    return faults;
  }

  /** Comments say parameters, results and exceptions where their names do not. */
  private static boolean isFault(Diagnostic<? extends JavaFileObject> d) throws IOException {
    String message = d.getMessage(null);
    if (message.matches("(?s)(no @(param|return|throws)|use of default constructor).*"))
      return false;
    if (!message.startsWith("no comment")) return true;
    List<String> lines = Files.readAllLines(Path.of(d.getSource().getName()));
    int at = (int) d.getLineNumber() - 1;
    String line = lines.get(at);
    if (at > 0 && lines.get(at - 1).contains("@Override")) return false; // of a type not found here
    return line.contains("(") || line.contains(" class ") || line.contains(" interface ");
  }
}
