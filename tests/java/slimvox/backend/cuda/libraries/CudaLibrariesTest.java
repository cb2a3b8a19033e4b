package slimvox.backend.cuda.libraries;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import slimvox.backend.cuda.FakeLibraries;

class CudaLibrariesTest {
  private static final String SITE = "lib/python3.12/site-packages/nvidia/";

  @TempDir private Path root;
  private final Map<String, String> variables = new HashMap<>();
  private Set<String> loaded = Set.of("libcuda.so.1");
  private Path project;

  private CudaLibraries find() {
    return CudaLibraries.find(environment());
  }

  private Environment environment() {
    return new Environment(variables, root, project, loaded::contains);
  }

  private Path wheels(String prefix) throws Exception {
    Path python = root.resolve(prefix);
    FakeLibraries.file(python.resolve(SITE + "cuda_nvrtc/lib/libnvrtc.so.12"));
    FakeLibraries.file(python.resolve(SITE + "cuda_nvrtc/lib/libnvrtc-builtins.so.12.6"));
    FakeLibraries.file(python.resolve(SITE + "cublas/lib/libcublas.so.12"));
    FakeLibraries.file(python.resolve(SITE + "cublas/lib/libcublasLt.so.12"));
    return python;
  }

  @Test
  void withoutADriverNothingElseIsLookedFor() throws Exception {
    variables.put("VIRTUAL_ENV", wheels("venv").toString());
    loaded = Set.of();
    CudaLibraries found = find();
    assertFalse(found.has(Library.NVRTC));
    assertEquals(
        "no NVIDIA driver (libcuda.so.1) on this machine; a card needs its driver installed",
        found.problem());
    assertEquals(List.of("libcuda.so.1 not found"), found.lines());
  }

  @Test
  void wheelsOfTheVirtualEnvironmentAreFoundWithTheirCompanions() throws Exception {
    Path venv = wheels("venv");
    variables.put("VIRTUAL_ENV", venv.toString());
    CudaLibraries found = find();
    assertNull(found.problem());
    assertEquals(
        venv.resolve(SITE + "cuda_nvrtc/lib/libnvrtc-builtins.so.12.6"),
        found.get(Library.NVRTC_BUILTINS).file());
    assertEquals(
        venv.resolve(SITE + "cublas/lib/libcublasLt.so.12"), found.get(Library.CUBLAS_LT).file());
    assertEquals(
        List.of(
            "libcuda.so.1 (found by the system)",
            venv.resolve(SITE + "cuda_nvrtc/lib/libnvrtc.so.12") + " (VIRTUAL_ENV)",
            venv.resolve(SITE + "cublas/lib/libcublas.so.12") + " (VIRTUAL_ENV)",
            "libcudnn.so.9 not found (optional)",
            "libnvidia-ml.so.1 not found (optional)"),
        found.lines());
  }

  @Test
  void theProjectsOwnEnvironmentNeedsNoVariable() throws Exception {
    project = root.resolve("project");
    wheels("project/.venv");
    assertEquals("this project's .venv", find().get(Library.NVRTC).source());
  }

  @Test
  void condaKeepsThemInItsLib() throws Exception {
    FakeLibraries.file(root.resolve("conda/lib/libnvrtc.so.12"));
    FakeLibraries.file(root.resolve("conda/targets/x86_64-linux/lib/libcublas.so.12"));
    variables.put("CONDA_PREFIX", root.resolve("conda").toString());
    CudaLibraries found = find();
    assertEquals(root.resolve("conda/lib/libnvrtc.so.12"), found.get(Library.NVRTC).file());
    assertEquals("the conda environment", found.get(Library.CUBLAS).source());
  }

  @Test
  void thePythonOnThePathIsEnough() throws Exception {
    Path python = wheels("python");
    Path executable = FakeLibraries.file(python.resolve("bin/python3"));
    assertTrue(executable.toFile().setExecutable(true));
    variables.put("PATH", root.resolve("nowhere") + ":" + python.resolve("bin"));
    assertEquals("the Python in " + python.resolve("bin"), find().get(Library.CUBLAS).source());
  }

  @Test
  void theNewestInstalledToolkitIsTakenAndTheChosenLinkFirst() throws Exception {
    FakeLibraries.file(root.resolve("usr/local/cuda-12.2/lib64/libnvrtc.so.12"));
    FakeLibraries.file(root.resolve("usr/local/cuda-12.10/lib64/libnvrtc.so.12"));
    assertEquals(
        root.resolve("usr/local/cuda-12.10/lib64/libnvrtc.so.12"),
        find().get(Library.NVRTC).file());
    Files.createSymbolicLink(root.resolve("usr/local/cuda"), root.resolve("usr/local/cuda-12.2"));
    assertEquals(
        root.resolve("usr/local/cuda/lib64/libnvrtc.so.12"), find().get(Library.NVRTC).file());
  }

  @Test
  void whatTheSystemsLoaderHasComesBeforeFoldersButNotBeforeThoseNamed() throws Exception {
    loaded = Set.of("libcuda.so.1", "libnvrtc.so.12");
    variables.put("CUDA_HOME", root.resolve("toolkit").toString());
    FakeLibraries.file(root.resolve("toolkit/lib64/libnvrtc.so.12"));
    assertNull(find().get(Library.NVRTC).file());
    variables.put("SLIMVOX_CUDA_PATH", root.resolve("toolkit").toString());
    assertEquals("SLIMVOX_CUDA_PATH", find().get(Library.NVRTC).source());
  }

  @Test
  void anotherMajorVersionIsNamedWithWhatToInstall() throws Exception {
    Path folder = root.resolve("venv/" + SITE + "cu13/lib");
    FakeLibraries.file(folder.resolve("libnvrtc.so.13"));
    variables.put("VIRTUAL_ENV", root.resolve("venv").toString());
    assertEquals(
        "libnvrtc.so.12 not found, only another version ("
            + folder.resolve("libnvrtc.so.13")
            + "); CUDA 12's run beside it: "
            + CudaLibraries.INSTALL,
        find().problem());
    assertEquals(
        "libnvrtc.so.12 not found, only " + folder.resolve("libnvrtc.so.13"),
        find().lines().get(1));
  }

  @Test
  void anotherCudnnIsNamedAndHindersNothing() throws Exception {
    variables.put("VIRTUAL_ENV", wheels("venv").toString());
    Path old = root.resolve("venv/" + SITE + "cudnn/lib/libcudnn.so.8");
    FakeLibraries.file(old);
    CudaLibraries found = find();
    assertNull(found.problem());
    assertEquals("libcudnn.so.9 not found, only " + old + " (optional)", found.lines().get(3));
    assertNull(CudnnFound.of(found, environment()).library());
  }

  @Test
  void aDamagedCudnnIsLeftOutWithTheReason() throws Exception {
    variables.put("VIRTUAL_ENV", wheels("venv").toString());
    Path file = FakeLibraries.file(root.resolve("venv/" + SITE + "cudnn/lib/libcudnn.so.9"));
    CudaLibraries found = find();
    assertNull(CudnnFound.of(found, environment()).library());
    assertEquals(
        "%1$s (VIRTUAL_ENV), not used: %1$s (VIRTUAL_ENV) cannot be loaded; is it damaged, or made"
                .formatted(file)
            + " for another system?",
        found.lines().get(3));
  }

  @Test
  void whatIsMissingComesWithWhereItWasLookedFor() throws Exception {
    Files.createDirectories(root.resolve("venv/" + SITE + "cudnn/lib"));
    variables.put("VIRTUAL_ENV", root.resolve("venv").toString());
    Files.createDirectories(root.resolve("usr/lib64"));
    assertEquals(
        "libnvrtc.so.12 not found (looked in VIRTUAL_ENV, the system); "
            + CudaLibraries.INSTALL
            + ", or set SLIMVOX_CUDA_PATH to its folder",
        find().problem());
  }

  @Test
  void withoutCublasTheKernelsDoItsWork() throws Exception {
    FakeLibraries.file(root.resolve("usr/lib64/libnvrtc.so.12"));
    assertNull(find().problem());
  }

  @Test
  void aDamagedLibraryIsNamed() throws Exception {
    Path file = FakeLibraries.file(root.resolve("usr/lib64/libnvrtc.so.12"));
    CudaLibraries found = find();
    UnsupportedOperationException e =
        assertThrows(UnsupportedOperationException.class, () -> found.open(Library.NVRTC));
    assertEquals(
        file + " (the system) cannot be loaded; is it damaged, or made for another system?",
        e.getMessage());
  }
}
