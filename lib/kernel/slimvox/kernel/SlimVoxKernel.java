package slimvox.kernel;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.spi.ExecutionControl;
import jdk.jshell.spi.ExecutionControl.ClassBytecodes;
import jdk.jshell.spi.ExecutionControlProvider;
import jdk.jshell.spi.ExecutionEnv;
import org.dflib.jjava.jupyter.channels.JupyterConnection;
import org.dflib.jjava.jupyter.channels.JupyterSocket;
import org.dflib.jjava.jupyter.channels.ShellChannel;
import org.dflib.jjava.jupyter.channels.ShellHandler;
import org.dflib.jjava.jupyter.channels.ShellReplyEnvironment;
import org.dflib.jjava.jupyter.kernel.JupyterIO;
import org.dflib.jjava.jupyter.kernel.KernelConnectionProperties;
import org.dflib.jjava.jupyter.kernel.LanguageInfo;
import org.dflib.jjava.jupyter.kernel.comm.CommManager;
import org.dflib.jjava.jupyter.kernel.display.DisplayData;
import org.dflib.jjava.jupyter.kernel.display.RenderContext;
import org.dflib.jjava.jupyter.kernel.display.Renderer;
import org.dflib.jjava.jupyter.kernel.magic.MagicTranspiler;
import org.dflib.jjava.jupyter.kernel.magic.MagicsRegistry;
import org.dflib.jjava.jupyter.kernel.magic.MagicsResolver;
import org.dflib.jjava.jupyter.kernel.util.StringStyler;
import org.dflib.jjava.jupyter.kernel.util.TextColor;
import org.dflib.jjava.jupyter.messages.Message;
import org.dflib.jjava.jupyter.messages.MessageType;
import org.dflib.jjava.jupyter.messages.reply.CompleteReply;
import org.dflib.jjava.jupyter.messages.reply.ErrorReply;
import org.dflib.jjava.jupyter.messages.request.CompleteRequest;
import org.dflib.jjava.jupyter.messages.request.ExecuteRequest;
import org.dflib.jjava.kernel.JavaKernel;
import org.dflib.jjava.kernel.execution.CodeEvaluator;
import org.dflib.jjava.kernel.execution.CompilationException;
import org.dflib.jjava.kernel.execution.EvaluationInterruptedException;
import org.dflib.jjava.kernel.execution.IncompleteSourceException;
import org.dflib.jjava.kernel.magics.ClasspathMagic;
import org.dflib.jjava.kernel.magics.LoadMagic;
import org.dflib.jjava.kernel.magics.TimeMagic;
import org.dflib.jjava.maven.MavenDependencyResolver;
import org.dflib.jjava.maven.magics.MavenMagic;
import org.dflib.jjava.shaded.org.zeromq.ZMQ;
import org.dflib.jjava.shaded.org.zeromq.ZMQException;
import slimvox.notebook.Display;
import slimvox.notebook.Notebook;
import slimvox.report.Tables;
import slimvox.storage.Provenance;

/**
 * The kernel of SlimVox's notebooks: JJava's, with what the package {@code slimvox.kernel} adds.
 *
 * <p>JJava comes with the Python package of its name, not from a Maven repository, so that {@code
 * notebooks/lab} compiles this class.
 */
public final class SlimVoxKernel extends JavaKernel {
  /** What a new notebook has imported. */
  private static final List<String> IMPORTS =
      Stream.of(
              "java.io.* java.math.* java.net.* java.nio.file.* java.time.* java.util.*"
                  + " java.util.concurrent.* java.util.function.* java.util.regex.*"
                  + " java.util.stream.* slimvox.audio.* slimvox.backend.* slimvox.binary.*"
                  + " slimvox.data.* slimvox.embed.* slimvox.loss.* slimvox.memory.*"
                  + " slimvox.models.* slimvox.nn.* slimvox.notebook.* slimvox.optim.*"
                  + " slimvox.plot.* slimvox.recipe.* slimvox.report.* slimvox.step.*"
                  + " slimvox.study.* slimvox.train.* slimvox.verify.* tech.tablesaw.api.*")
          .flatMap(names -> Arrays.stream(names.split(" ")))
          .map(name -> "import " + name + ";")
          .toList();

  /** The queue of requests is empty if none has come for so long. */
  private static final long QUEUE_MS = 100;

  private final Cells cells;
  private final CellHelp help;
  private final PrintedText printed = new PrintedText();
  private JupyterConnection connection;
  private boolean failed;

  private SlimVoxKernel(Cells cells, MagicsRegistry magics) {
    super(
        "SlimVox",
        Provenance.version(),
        new LanguageInfo.Builder("Java")
            .version(Runtime.version().toString())
            .mimetype("text/x-java-source")
            .fileExtension(".jshell")
            .pygments("java")
            .codemirror("java")
            .build(),
        List.of(),
        null,
        new JupyterIO(StandardCharsets.UTF_8),
        new CommManager(),
        new Renderer(),
        new MagicsResolver("(?<=(?:^|=))\\s*%", "%%", new MagicTranspiler()),
        magics,
        true,
        new StringStyler.Builder()
            .addPrimaryStyle(TextColor.BOLD_RESET_FG)
            .addSecondaryStyle(TextColor.BOLD_RED_FG)
            .build(),
        JShell.builder()
            .executionEngine(cells.getExecControlProvider(), Map.of())
            .compilerOptions("--add-modules", "jdk.incubator.vector")
            .build(),
        cells);
    this.cells = cells;
    Path jar = Path.of(System.getProperty("slimvox.sources", ""));
    this.help =
        Files.isRegularFile(jar) ? new CellHelp(getJShell(), jar) : new CellHelp(getJShell());
  }

  /**
   * Runs the kernel.
   *
   * @param arguments the connection file
   */
  public static void main(String[] arguments) throws Exception {
    String properties = Files.readString(Path.of(arguments[0]));
    JupyterConnection connection =
        new JupyterConnection(KernelConnectionProperties.parse(properties));
    MagicsRegistry magics = new MagicsRegistry();
    TimeMagic time = new TimeMagic();
    magics.registerLineMagic("time", time);
    magics.registerCellMagic("time", time);
    magics.registerLineMagic("load", new LoadMagic());
    magics.registerLineMagic("classpath", new ClasspathMagic());
    magics.registerLineMagic("maven", new MavenMagic(new MavenDependencyResolver()));
    SlimVoxKernel kernel = new SlimVoxKernel(new Cells(), magics);
    kernel.onStartup();
    Outputs outputs = kernel.new Outputs();
    Notebook.shownBy(outputs);
    kernel.getRenderer().createRegistration(Object.class).register(outputs::render);
    IMPORTS.forEach(line -> kernel.evalBuilder(line).eval());
    kernel.becomeHandlerForConnection(connection);
    connection.connect();
    connection.waitUntilClose();
  }

  @Override
  public void becomeHandlerForConnection(JupyterConnection connection) {
    super.becomeHandlerForConnection(connection);
    this.connection = connection;
  }

  // --- output ----------------------------------------------------------------------------------

  /** Sends what the library shows to the front end. */
  private final class Outputs implements Display {
    @Override
    public void show(String id, Map<String, String> output) {
      send(() -> display(message(id, output)));
    }

    @Override
    public void update(String id, Map<String, String> output) {
      send(() -> getIO().display.updateDisplay(id, message(id, output)));
    }

    @Override
    public String kernel() {
      return "JJava";
    }

    /** All outputs for an object but the last are shown at once; that one is the cell's result. */
    void render(Object object, RenderContext context) {
      List<Map<String, String>> outputs = Notebook.outputs(object);
      outputs.subList(0, outputs.size() - 1).forEach(this::show);
      context.getOutputContainer().assign(message(null, outputs.getLast()));
    }

    private static DisplayData message(String id, Map<String, String> output) {
      DisplayData message = new DisplayData();
      output.forEach(
          (type, content) -> {
            if (type.equals(PICTURE_WIDTH)) {
              message.putMetaData("image/png", Map.of("width", Integer.parseInt(content)));
            } else {
              message.putData(type, content);
            }
          });
      return id == null ? message : message.setDisplayId(id);
    }

    /** A thread that is asked to end cannot use the kernel's sockets, so that it is asked later. */
    private static void send(Runnable output) {
      boolean stopped = Thread.interrupted();
      try {
        output.run();
      } catch (ZMQException e) {
        stopped = true; // asked meanwhile; this output is lost, the last one comes afterwards
      } finally {
        if (stopped) Thread.currentThread().interrupt();
      }
    }
  }

  // --- help ------------------------------------------------------------------------------------

  @Override
  public DisplayData inspect(String code, int at, boolean detail) {
    return display(help.at(code, code.offsetByCodePoints(0, at)));
  }

  /** A text as the front end shows it; null for none. */
  private static DisplayData display(String text) {
    if (text == null) return null;
    DisplayData data = new DisplayData(text);
    String html = "<pre style=\"white-space: pre-wrap\">%s</pre>";
    data.putHTML(html.formatted(Tables.escape(text)));
    return data;
  }

  @Override
  protected void handleCompleteRequest(
      ShellReplyEnvironment env, Message<CompleteRequest> message) {
    CompleteRequest request = message.getContent();
    env.setBusyDeferIdle();
    try {
      env.reply(completions(request.getCode(), request.getCursorPos()));
    } catch (Exception e) {
      env.replyError(CompleteReply.MESSAGE_TYPE.error(), ErrorReply.of(e));
    }
  }

  private CompleteReply completions(String code, int cursor) {
    Completions found = help.complete(code, code.offsetByCodePoints(0, cursor));
    List<Map<String, String>> items =
        found.items().stream()
            .map(item -> Map.of("text", item.text(), "type", item.type()))
            .toList();
    return new CompleteReply(
        found.items().stream().map(Completions.Item::label).toList(),
        code.codePointCount(0, found.start()),
        cursor,
        Map.of("_jupyter_types_experimental", items));
  }

  // --- execution -------------------------------------------------------------------------------

  @Override
  protected synchronized void handleExecuteRequest(
      ShellReplyEnvironment env, Message<ExecuteRequest> request) {
    failed = false;
    cells.begin(request.getContent().getCode());
    super.handleExecuteRequest(env, request);
    cells.end();
    // Before its own reply: who waits for that sends the next cell when it is to be run.
    if (failed && request.getContent().shouldStopOnError()) abortQueue(env);
  }

  /** Answers the cells that wait without running them. */
  private void abortQueue(ShellReplyEnvironment env) {
    JupyterSocket shell = env.getShell();
    long lastNs = System.nanoTime();
    while (true) {
      if ((shell.getEvents() & ZMQ.Poller.POLLIN) != 0) {
        Message<?> message = shell.readMessage();
        abort(connection.prepareReplyEnv((ShellChannel) shell, message), message);
        lastNs = System.nanoTime();
      } else if (System.nanoTime() - lastNs > TimeUnit.MILLISECONDS.toNanos(QUEUE_MS)) {
        return;
      } else {
        ZMQ.msleep(5);
      }
    }
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // as JJava hands messages over
  private void abort(ShellReplyEnvironment env, Message<?> message) {
    if (message.getContent() instanceof ExecuteRequest) {
      env.setBusyDeferIdle();
      env.reply(new Message(message, MessageType.EXECUTE_REPLY, new Aborted("aborted")));
    } else {
      ShellHandler handler = connection.getHandler(message.getHeader().getType());
      if (handler != null) handler.handle(env, message);
    }
    env.resolveDeferrals();
    if (env.isMarkedForShutdown()) connection.close();
  }

  /** The reply to a cell that is not run. */
  private record Aborted(String status) {}

  @Override
  protected void replaceOutputStreams(ShellReplyEnvironment env) {
    super.replaceOutputStreams(env);
    System.setOut(printed.stream(env::writeToStdOut));
    System.setErr(printed.stream(env::writeToStdErr));
    env.defer(printed::flush);
  }

  @Override
  protected Object doEval(String source) {
    String asked = CellHelp.asked(source);
    if (asked != null) {
      String text = help.of(asked);
      return display(text == null ? asked + ": nothing of this name is known here" : text);
    }
    try {
      return super.doEval(source);
    } finally {
      printed.flush();
    }
  }

  @Override
  public void display(DisplayData data) {
    printed.flush();
    super.display(data);
  }

  @Override
  protected List<String> formatError(Throwable e) {
    failed = true;
    CellError error =
        switch (e) {
          case CompilationException c ->
              CellError.ofCompiler(getJShell(), c.getBadSnippetCompilation().snippet(), cells.code);
          case IncompleteSourceException i -> CellError.ofEnd(cells.code, i.getSource());
          case EvaluationInterruptedException _ -> CellError.ofStop();
          case RuntimeException r when r.getCause() instanceof EvalException cause ->
              CellError.ofCell(getJShell(), cause);
          default -> null;
        };
    if (error == null) return super.formatError(e);
    return Stream.concat(Stream.of(errorStyler.secondary(error.message())), error.place().stream())
        .toList();
  }

  /** Runs cells, one statement after the other, and stops them. */
  private static final class Cells extends CodeEvaluator {
    /** So long a stopped cell may take to end by itself. */
    private static final long PATIENCE_S = 10;

    /** A stop between two cells is one of the second. */
    private static final long BETWEEN_NS = TimeUnit.MILLISECONDS.toNanos(200);

    private volatile boolean stopped;
    private volatile String code;
    private volatile boolean running;
    private volatile long idleStopNs = System.nanoTime() - BETWEEN_NS;

    Cells() {
      super("SlimVox", -1, TimeUnit.MILLISECONDS);
    }

    void begin(String code) {
      this.code = code;
      stopped = System.nanoTime() - idleStopNs < BETWEEN_NS;
      running = true;
      CellThread.begin();
    }

    void end() {
      running = false;
    }

    @Override
    protected Object evalSingle(JShell shell, String code) {
      RuntimeException problem = null;
      Object value = null;
      if (!stopped) {
        try {
          value = super.evalSingle(shell, code);
        } catch (RuntimeException e) {
          problem = e;
        }
      }
      if (stopped) throw new EvaluationInterruptedException(code.strip());
      if (problem != null) throw problem;
      return value;
    }

    /** Asks the running cell to end; if it does not, or at a second stop, it is left alone. */
    @Override
    public void interrupt() {
      if (!running) {
        idleStopNs = System.nanoTime();
      } else if (stopped) {
        super.interrupt();
      } else {
        stopped = true;
        CellThread.stop();
        Object cell = code; // as an identity
        CompletableFuture.delayedExecutor(PATIENCE_S, TimeUnit.SECONDS)
            .execute(
                () -> {
                  if (running && code == cell) super.interrupt();
                });
      }
    }

    @Override
    public ExecutionControlProvider getExecControlProvider() {
      ExecutionControlProvider cells = super.getExecControlProvider();
      return new ExecutionControlProvider() {
        @Override
        public String name() {
          return cells.name();
        }

        @Override
        public ExecutionControl generate(ExecutionEnv env, Map<String, String> parameters)
            throws Throwable {
          return stoppable(cells.generate(env, parameters));
        }
      };
    }

    /** The same, with checks in the loops of what it loads. */
    private ExecutionControl stoppable(ExecutionControl control) {
      return (ExecutionControl)
          Proxy.newProxyInstance(
              Cells.class.getClassLoader(),
              new Class<?>[] {ExecutionControl.class},
              (_, method, arguments) -> {
                if (method.getName().equals("load")) {
                  arguments[0] = withChecks((ClassBytecodes[]) arguments[0]);
                }
                try {
                  return method.invoke(control, arguments);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });
    }

    private ClassBytecodes[] withChecks(ClassBytecodes[] classes) {
      for (ClassBytecodes type : classes) CellThread.declare(type.bytecodes());
      return Arrays.stream(classes)
          .map(type -> new ClassBytecodes(type.name(), withChecks(type)))
          .toArray(ClassBytecodes[]::new);
    }

    private byte[] withChecks(ClassBytecodes type) {
      return CellThread.withChecks(type.name(), type.bytecodes(), getClassLoader());
    }
  }
}
