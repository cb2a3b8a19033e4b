package slimvox.kernel;

import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassHierarchyResolver.ClassHierarchyInfo;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.Label;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.instruction.BranchInstruction;
import java.lang.classfile.instruction.LabelTarget;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.reflect.AccessFlag;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * The thread that runs a notebook's cell, and how it is stopped.
 *
 * <p>A thread can only be asked to end. Methods that wait, and SlimVox's own loops, listen to its
 * interruption; loops of a cell do not, so that each gets a check at its end. An own layer must not
 * end in the middle of a training step: classes declared in a cell get no checks, and what SlimVox
 * calls goes on.
 */
public final class CellThread {
  private static final ClassDesc THIS = ClassDesc.of(CellThread.class.getName());
  private static final String WRAPPER = "REPL.";
  private static final String STATEMENT = "do_it$";

  /** Threads whose cell was stopped. */
  private static final Set<Thread> STOPPED = ConcurrentHashMap.newKeySet();

  /** What JShell made of all cells so far. */
  private static final Map<ClassDesc, ClassHierarchyInfo> DECLARED = new ConcurrentHashMap<>();

  /** So long a stopped cell is not asked again whether SlimVox calls it, which takes a while. */
  private static final long ASK_NS = TimeUnit.MILLISECONDS.toNanos(20);

  private static volatile long askedNs;
  private static volatile Thread current;
  private static volatile boolean stopping;

  private CellThread() {}

  /** A cell was stopped. */
  static final class Stopped extends Error {
    private Stopped() {
      super("stopped");
    }
  }

  /** A cell begins. */
  static void begin() {
    stopping = false;
  }

  /** Called where a statement of a cell begins. */
  public static void enter() {
    current = Thread.currentThread();
    STOPPED.remove(current);
    if (stopping) throw new Stopped(); // while the statement was compiled
  }

  /** Called where a loop of a cell begins anew. */
  public static void check() {
    if (!isStopped() || System.nanoTime() - askedNs < ASK_NS) return;
    if (!isCalledBySlimVox()) throw new Stopped();
    askedNs = System.nanoTime();
  }

  /** Whether code of SlimVox waits for the calling method; it ends by itself, when it can. */
  private static boolean isCalledBySlimVox() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames
                    .takeWhile(frame -> !frame.getMethodName().equals(STATEMENT))
                    .map(StackWalker.StackFrame::getClassName)
                    .anyMatch(
                        name ->
                            name.startsWith("slimvox.") && !name.startsWith("slimvox.kernel.")));
  }

  /** Whether the calling thread belongs to a cell that was stopped. */
  static boolean isStopped() {
    return !STOPPED.isEmpty() && STOPPED.contains(Thread.currentThread());
  }

  /** Asks the running cell to end. */
  static void stop() {
    stopping = true;
    Thread thread = current;
    if (thread == null || !isRunning()) return;
    askedNs = System.nanoTime() - ASK_NS;
    STOPPED.add(thread);
    thread.interrupt();
  }

  /** Whether code that a cell has called still runs. */
  static boolean isRunning() {
    Thread thread = current;
    return thread != null
        && Arrays.stream(thread.getStackTrace())
            .anyMatch(frame -> frame.getClassName().startsWith(WRAPPER));
  }

  /** Tells of a class that JShell made of a cell, before the first that may mention it. */
  static void declare(byte[] bytecodes) {
    ClassModel type = ClassFile.of().parse(bytecodes);
    DECLARED.put(
        type.thisClass().asSymbol(),
        type.flags().has(AccessFlag.INTERFACE)
            ? ClassHierarchyInfo.ofInterface()
            : ClassHierarchyInfo.ofClass(type.superclass().orElseThrow().asSymbol()));
  }

  /**
   * A class that JShell made of a cell, with these checks in it.
   *
   * @param name of the class
   * @param loader of the classes it mentions
   */
  static byte[] withChecks(String name, byte[] bytecodes, ClassLoader loader) {
    if (name.indexOf('$', name.lastIndexOf("$JShell$") + "$JShell$".length()) >= 0) {
      return bytecodes; // a class of the user's own
    }
    ClassHierarchyResolver declared = DECLARED::get;
    ClassFile file =
        ClassFile.of(
            ClassFile.ClassHierarchyResolverOption.of(
                declared
                    .orElse(ClassHierarchyResolver.defaultResolver())
                    .orElse(ClassHierarchyResolver.ofClassLoading(loader))));
    try {
      return file.transformClass(
          file.parse(bytecodes),
          (builder, element) -> {
            if (element instanceof MethodModel method) {
              boolean first = method.methodName().equalsString(STATEMENT);
              CodeTransform checks = CodeTransform.ofStateful(() -> new Checks(first));
              builder.transformMethod(method, MethodTransform.transformingCode(checks));
            } else {
              builder.with(element);
            }
          });
    } catch (RuntimeException e) {
      return bytecodes; // better a cell that is hard to stop than none
    }
  }

  /** Puts a check before each jump backwards. */
  private static final class Checks implements CodeTransform {
    private final Set<Label> passed = new HashSet<>();
    private final boolean first;

    Checks(boolean first) {
      this.first = first;
    }

    @Override
    public void atStart(CodeBuilder builder) {
      if (first) call(builder, "enter");
    }

    @Override
    public void accept(CodeBuilder builder, CodeElement element) {
      if (element instanceof LabelTarget target) passed.add(target.label());
      if (element instanceof BranchInstruction branch && passed.contains(branch.target())) {
        call(builder, "check");
      }
      builder.with(element);
    }

    private static void call(CodeBuilder builder, String method) {
      builder.invokestatic(THIS, method, ConstantDescs.MTD_void);
    }
  }
}
