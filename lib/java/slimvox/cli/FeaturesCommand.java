package slimvox.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.audio.FrontEnd;
import slimvox.audio.ReadSettings;
import slimvox.data.Corpus;
import slimvox.data.CorpusReport;
import slimvox.data.FeatureCache;
import slimvox.data.FeatureMemory;
import slimvox.data.FeatureReader;
import slimvox.data.WholeUtterances;
import slimvox.embed.FeatureFile;
import slimvox.recipe.Recipe;
import slimvox.report.Values;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;

/** Log-mel features of a corpus. */
@Command(
    name = "features",
    description = {
      "Compute log-mel features of a corpus (a Kaldi folder, or a folder of speaker folders).",
      "OUT is a file if it ends in .safetensors: one tensor an utterance, frames x bins. Else it is"
          + " a folder: the cache that recipes name as data.cacheFolder.",
      "Recordings that cannot be used are left out and named; the exit code is then 3."
    })
final class FeaturesCommand extends Subcommand {
  @Parameters(index = "0", paramLabel = "CORPUS", description = "The corpus folder.")
  private Path corpusFolder;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "OUT",
      description = "A .safetensors file or a cache folder; none with --check.")
  private Path out;

  @Option(names = "--check", description = "Only look at every recording and say what is bad.")
  private boolean check;

  @Option(
      names = "--cmn",
      description = "Subtract each utterance's mean; for a file only, the cache never has it.")
  private boolean cmn;

  @Option(
      names = "--speeds",
      paramLabel = "S",
      split = ",",
      description = "Speeds to play at, 1.0 first; for a cache only. Default 1.0.")
  private List<Double> speeds = List.of(1.0);

  @Option(
      names = "--shard",
      paramLabel = "I/N",
      description =
          "Only part I of N, for processes that share the work: of a file's utterances (then"
              + " 'slimvox join' puts the parts together), of a folder's speakers.")
  private String part;

  private final LeftOut leftOut = new LeftOut();
  private Shard shard;
  private Map<String, String> ofShard = Map.of();
  private int bins;
  private int threads;

  FeaturesCommand() {
    super("model.bins", "data.frameShiftMs", "data.resample", "data.longestMinutes", "run.threads");
  }

  @Override
  public Integer call() throws InterruptedException {
    try (CtrlC _ = new CtrlC(() -> note("\nstopping ..."))) {
      return features();
    } catch (InterruptedException e) {
      if (out == null || isFile()) throw e;
      String kept = "slimvox: stopped before the end; what was finished is kept in " + out;
      spec.commandLine().getErr().println(kept);
      return Failures.INTERRUPTED;
    }
  }

  private int features() throws InterruptedException {
    Recipe recipe = flags.recipe();
    ReadSettings reading = recipe.data().reading();
    bins = flags.model(recipe.model()).bins();
    threads = recipe.run().threads();
    if (threads == 0) threads = Runtime.getRuntime().availableProcessors();
    shard = Shard.of(this, part);
    for (String option : List.of("--bins", "--frame-shift", "--cmn", "--speeds", "--shard")) {
      if (!check || !flags.isGiven(option)) continue;
      throw usage(option + " is for what is written; leave it out with --check");
    }
    if (check == (out != null)) {
      throw usage(check ? "--check writes nothing; leave out OUT" : "OUT is needed, or --check");
    }
    if (out != null && isFile()) {
      AtomicFile.requireWritable(out);
      if (!speeds.equals(List.of(1.0))) {
        throw usage("--speeds is for a cache folder; a .safetensors file holds speed 1.0");
      }
    } else if (cmn) {
      throw usage(
          "--cmn is for a .safetensors file; training normalizes what it takes from a cache");
    } else if (out != null) {
      requireFolderName(out);
      apart(out, "the corpus", corpusFolder);
    }
    Corpus corpus = Corpus.open(corpusFolder).reading(reading);
    if (check) return check(validate(corpus));
    List<String> ids = ids(corpus);
    if (shard != null && !isFile()) {
      corpus = corpus.subset(shard.of(corpus.speakers(), 1, "speakers"));
    } else if (shard != null) {
      ofShard = shard.metadata(ids, corpus.sha256(), bins, reading);
      ids = shard.of(ids, 1, "utterances");
      corpus = corpus.without(others(corpus, ids));
    }
    if (isFile()) SafetensorsWriter.requireRoom(out, ids, 1, bins);
    FrontEnd frontEnd = new FrontEnd(recipe.data().frameShiftMs(), cmn);
    FeatureReader reader = FeatureReader.of(corpus.requireFiles(), frontEnd.fbank(bins), speeds);
    CorpusReport report = validate(corpus);
    note(report.toString().stripTrailing());
    return write(corpus, ids, report, reader, frontEnd);
  }

  private int check(CorpusReport report) {
    if (report.bad() == 0) {
      result(report.toString(), json(report));
      return 0;
    }
    note(report.toString().stripTrailing());
    throw new InputException(LeftOut.first(report.firstBad(), report.bad()));
  }

  private CorpusReport validate(Corpus corpus) throws InterruptedException {
    int total = corpus.utterances().size();
    try (Progress progress = Progress.of(this, "checking", " utterances", 0, total)) {
      // Damage within a FLAC file shows when it is decoded, for the features at the latest.
      return CorpusReport.of(corpus, check, threads, progress);
    }
  }

  private boolean isFile() {
    return out.toString().endsWith(".safetensors");
  }

  /** Utterances that are no part of any of these. */
  private static Set<String> others(Corpus corpus, List<String> ids) {
    Set<String> others = new HashSet<>();
    corpus.utterances().forEach(u -> others.add(u.id()));
    for (String id : ids) corpus.parts(id).forEach(u -> others.remove(u.id()));
    return others;
  }

  private int write(
      Corpus corpus, List<String> ids, CorpusReport report, FeatureReader reader, FrontEnd frontEnd)
      throws InterruptedException {
    boolean file = isFile();
    int utterances = corpus.utterances().size();
    int total = utterances * speeds.size();
    int computed;
    try (Progress progress = Progress.of(this, "features", " utterances", 0, total)) {
      if (file) {
        long bytes = 2 * reader.bytes(corpus.utterances()); // computed, and as they are written
        FeatureMemory.requireHeap(bytes, "features", "write a cache folder, or take a larger heap");
        FeatureMemory memory =
            new FeatureMemory(reader).load(corpus, threads, progress, leftOut::add);
        if (shard == null) leftOut.requireFewerThan(utterances);
        writeFile(corpus.without(leftOut.ids()), ids, memory, frontEnd);
        computed = utterances - leftOut.ids().size();
      } else {
        FeatureCache cache =
            new FeatureCache(out, reader, corpus).build(threads, progress, leftOut::add);
        computed = cache.computed();
        leftOut.requireFewerThan(utterances);
        if (!leftOut.ids().isEmpty()) {
          // As the corpus will be once they are taken out of it.
          Corpus rest = corpus.without(leftOut.ids());
          computed += new FeatureCache(out, reader, rest).build(threads, progress).computed();
        }
      }
    }
    Values values = json(report);
    values.put("bins", reader.bins());
    values.put("computed", computed);
    values.put("out", out.toString());
    leftOut.describe(this, values);
    Values shown = new Values().with("n", utterances - leftOut.ids().size());
    shown.with("speeds", speeds.size()).putAll(values);
    result(
        shown.text(
            "{n:%,d} utterance{n:s} x {speeds} speed{speeds:s}, {bins} bins in {out}"
                + " ({computed:%,d} computed now)"),
        values);
    return leftOut.report(this, utterances);
  }

  private void writeFile(
      Corpus corpus, List<String> ids, FeatureMemory features, FrontEnd frontEnd) {
    SafetensorsWriter writer = Safetensors.writer();
    FeatureFile.describe(writer, frontEnd);
    ofShard.forEach(writer::metadata);
    WholeUtterances whole = new WholeUtterances(corpus, features, cmn);
    whole.forEach(
        ids.stream().filter(corpus::has).toList(),
        (id, f) -> writer.put(id, new long[] {f.frames(), f.bins()}, f.values()));
    writer.write(out);
  }

  private static List<String> ids(Corpus corpus) {
    List<String> ids = new ArrayList<>();
    corpus.utterances().forEach(u -> ids.add(u.id()));
    ids.addAll(corpus.concatenated().keySet());
    return ids;
  }

  private static Values json(CorpusReport report) {
    Values values = new Values();
    values.put("corpus", report.corpus());
    values.put("speakers", report.speakers());
    values.put("utterances", report.utterances());
    values.put("hours", report.hours());
    values.put("bad", report.bad());
    values.put("first_bad", report.firstBad());
    values.put("too_short", report.tooShort());
    values.put("first_too_short", report.firstTooShort());
    values.put("silent", report.silent());
    values.put("first_silent", report.firstSilent());
    values.put("notes", report.notes());
    if (report.bins() > 0) {
      values.put("bins", report.bins());
      values.put("frame_shift_seconds", report.frameShiftSeconds());
    }
    return values;
  }
}
