package slimvox;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toMap;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Which package may use which: nothing points back. */
class PackageDirectionTest {
  /**
   * What each package may use besides itself; {@code settings} and {@code storage} are open to all.
   */
  private static final Map<String, List<String>> MAY_USE =
      """
      memory:
      settings:
      storage:
      vector:
      backend: memory vector
      nn: backend memory
      models: nn backend memory
      export: models nn backend memory
      loss: nn backend memory
      optim: nn backend memory
      audio: vector
      data: audio
      verify: vector
      binary: models nn backend memory vector audio
      recipe: data audio verify models loss optim nn backend memory
      step: embed recipe models loss optim nn backend memory
      embed: binary audio data verify models nn backend memory
      train: embed step recipe data audio verify models loss optim nn backend memory
      plot:
      report: plot train step recipe verify models nn backend memory
      notebook: report plot binary train embed step recipe data audio verify models loss \
          optim nn backend memory
      kernel: cli notebook report plot recipe optim loss train data audio models memory
      study: cli notebook report plot embed step recipe train data audio verify models \
          loss optim nn backend memory
      bench: cli report binary train embed step recipe data audio verify models optim nn \
          backend memory
      cli: report plot export binary train embed step recipe data audio verify models loss \
          optim nn backend memory
      """
          .lines()
          .map(line -> line.split("[: ]+"))
          .collect(toMap(words -> words[0], words -> List.of(words).subList(1, words.length)));

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("slimvox");

  @Test
  void packagesPointOneWay() {
    for (var entry : MAY_USE.entrySet()) {
      List<String> forbidden = new ArrayList<>(MAY_USE.keySet());
      forbidden.remove(entry.getKey());
      forbidden.removeAll(List.of("settings", "storage"));
      forbidden.removeAll(entry.getValue());
      String[] packages = forbidden.stream().map(p -> "slimvox." + p + "..").toArray(String[]::new);
      noClasses()
          .that()
          .resideInAPackage("slimvox." + entry.getKey() + "..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(packages)
          .allowEmptyShould(true)
          .check(CLASSES);
    }
  }

  /** They are jars of their own: what trains and embeds has to run without them. */
  @Test
  void nothingNeedsBenchAndStudy() {
    String[] jars = {"slimvox.bench..", "slimvox.study.."};
    noClasses()
        .that()
        .resideOutsideOfPackages(jars)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(jars)
        .check(CLASSES);
  }

  @Test
  void packagesHaveNoCycles() {
    slices().matching("slimvox.(*)..").should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void everyPackageIsInTheList() {
    List<String> unknown =
        CLASSES.stream()
            .map(c -> c.getPackageName().split("\\."))
            .filter(p -> p.length > 1 && !MAY_USE.containsKey(p[1]))
            .map(Arrays::toString)
            .distinct()
            .toList();
    assertTrue(unknown.isEmpty(), "say what these may use: " + unknown);
  }

  @Test
  void jcudaStaysInItsPackage() {
    noClasses()
        .that()
        .resideOutsideOfPackage("slimvox.backend.cuda..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("jcuda..")
        .check(CLASSES);
  }

  /** Engines are opened by name; what is public in them is public for their own sub-packages. */
  @Test
  void enginesAreSeenByBackendsOnly() {
    for (String engine : List.of("cpu", "cuda")) {
      noClasses()
          .that()
          .resideOutsideOfPackages("slimvox.backend." + engine + "..", "slimvox.bench..")
          .and()
          .doNotHaveFullyQualifiedName("slimvox.backend.Backends")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("slimvox.backend." + engine + "..")
          .check(CLASSES);
    }
  }

  /** The kernels of packed inference are reached through their family, by benches too. */
  @Test
  void packedKernelsAreSeenByTheirDeviceOnly() {
    noClasses()
        .that()
        .resideOutsideOfPackages("slimvox.backend.cpu", "slimvox.backend.cpu.packed")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("slimvox.backend.cpu.packed")
        .check(CLASSES);
  }

  @Test
  void noPackageHasMoreThanThirtyFiles() {
    Map<String, Long> files =
        CLASSES.stream()
            .filter(JavaClass::isTopLevelClass)
            .collect(groupingBy(JavaClass::getPackageName, counting()));
    files.values().removeIf(n -> n <= 30);
    assertTrue(files.isEmpty(), "more than 30 files: " + files);
  }
}
