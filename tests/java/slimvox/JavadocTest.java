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
    DocumentationTool tool = ToolProvider.getSystemDocumentationTool();
    DiagnosticCollector<JavaFileObject> told = new DiagnosticCollector<>();
    List<Path> sources = new ArrayList<>();
    for (String root : List.of("lib/java", "lib/bench", "lib/study")) {
      try (var files = Files.walk(Path.of(root))) {
        files.filter(f -> f.toString().endsWith(".java")).forEach(sources::add);
      }
    }
    try (StandardJavaFileManager files = tool.getStandardFileManager(told, null, null)) {
      List<String> options =
          List.of(
              "-quiet",
              "-d",
              out.toString(),
              "--add-modules",
              "jdk.incubator.vector",
              "-cp",
              System.getProperty("java.class.path"),
              "-Xdoclint:all",
              "-Xmaxwarns",
              "9999");
      Iterable<? extends JavaFileObject> units = files.getJavaFileObjectsFromPaths(sources);
      tool.getTask(null, files, told, null, options, units).call();
    }
    List<String> faults = new ArrayList<>();
    for (Diagnostic<? extends JavaFileObject> d : told.getDiagnostics()) {
      if (d.getSource() != null && isFault(d)) {
        faults.add(d.getSource().getName() + ":" + d.getLineNumber() + ": " + d.getMessage(null));
      }
    }
    assertEquals(List.of(), faults);
  }

  /** Comments say parameters, results and exceptions where their names do not. */
  private static boolean isFault(Diagnostic<? extends JavaFileObject> d) throws IOException {
    String message = d.getMessage(null);
    if (message.matches("(?s)(no @(param|return|throws)|use of default constructor).*"))
      return false;
    if (!message.startsWith("no comment")) return true;
    String line =
        Files.readAllLines(Path.of(d.getSource().getName())).get((int) d.getLineNumber() - 1);
    return line.contains("(") || line.contains(" class ") || line.contains(" interface ");
  }
}
