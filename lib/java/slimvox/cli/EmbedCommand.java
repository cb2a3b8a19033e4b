package slimvox.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.audio.Features;
import slimvox.audio.FrontEnd;
import slimvox.backend.Backend;
import slimvox.data.Corpus;
import slimvox.data.FeatureReader;
import slimvox.data.RecordingException;
import slimvox.data.WholeUtterances;
import slimvox.embed.EmbeddingFile;
import slimvox.embed.FeatureFile;
import slimvox.embed.SpeakerEncoder;
import slimvox.models.ModelSpec;
import slimvox.recipe.Recipe;
import slimvox.report.Values;
import slimvox.settings.Key;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.Provenance;
import slimvox.storage.Safetensors;
import slimvox.storage.SafetensorsWriter;
import slimvox.storage.Sha256;
import slimvox.storage.UtteranceNames;
import slimvox.verify.Embeddings;
import slimvox.verify.SpeakerMeans;
import slimvox.verify.Trials;

/** Embeddings of the utterances of a corpus, or of features. */
@Command(
    name = "embed",
    description = {
      "Turn utterances into embeddings: a safetensors file, one vector an utterance.",
      "MODEL is a checkpoint of SlimVox or a packed model ('slimvox pack'), which know their"
          + " network, or a file with WeSpeaker's parameter names (safetensors, or PyTorch's .pt),"
          + " whose network follows from its tensors; --model and the options after it then say"
          + " what it must be.",
      "Recordings that cannot be used are left out and named; the exit code is then 3."
    },
    customSynopsis = {
      "slimvox embed MODEL CORPUS OUT.safetensors [options]",
      "       slimvox embed MODEL --features F.safetensors OUT.safetensors [options]"
    })
final class EmbedCommand extends Subcommand {
  /** Utterances whose features are in memory at a time, at most. */
  private static final int CHUNK = 1000;

  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description = "Checkpoint, packed model, safetensors or .pt file.")
  private Path modelFile;

  @Parameters(
      index = "1..2",
      arity = "1..2",
      paramLabel = "[CORPUS] OUT",
      hideParamSyntax = true,
      description = "Corpus folder (not with --features), and the file to write.")
  private List<Path> places;

  @Option(
      names = "--features",
      paramLabel = "F",
      description = "Embed these features (tensors frames x bins) instead of a corpus.")
  private Path featureFile;

  @Option(
      names = "--no-cmn",
      description =
          "Take features as they are. Without it each bin's mean over the utterance is subtracted,"
              + " from a corpus and from --features alike, if it was in training.")
  private boolean noCmn;

  @Option(
      names = "--channel",
      description =
          "Put each recording behind a channel of its own first (filter, noise and gain, which"
              + " follow from its id); a joined utterance has one.")
  private boolean channel;

  @Option(
      names = "--trials",
      paramLabel = "TRIALS",
      description = "Embed only the utterances of this trial list.")
  private Path trials;

  @Option(
      names = "--speaker-means",
      description = "Write the mean embedding of each speaker of the corpus: a cohort for AS-norm.")
  private boolean speakerMeans;

  @Option(
      names = "--shard",
      paramLabel = "I/N",
      description =
          "Only part I of N, for processes that share the work; 'slimvox join' puts the parts"
              + " together. A part has 1,000 utterances or more.")
  private String part;

  private final LeftOut leftOut = new LeftOut();
  private FrontEnd frontEnd;
  private Shard shard;
  private Map<String, String> ofShard = Map.of();

  /** What is embedded: names, features by name, and where they come from. */
  private record Input(List<String> ids, Function<String, Features> features, int bins) {}

  EmbedCommand() {
    super(
        Stream.concat(
                Stream.of(DeclaredOptions.OF_NETWORK),
                Stream.of("run.", "data.resample", "data.longestMinutes"))
            .toArray(String[]::new));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (CtrlC _ = new CtrlC(() -> note("\nstopping ..."))) {
      return embed();
    }
  }

  /** Refuses to write over what no embed has written, such as a recording of the corpus. */
  private static void requireOwn(Path out) {
    if (!Files.isRegularFile(out) || out.toString().endsWith(".safetensors")) return;
    try {
      if (Files.size(out) > 0) Safetensors.open(out);
    } catch (InputException | IOException e) {
      throw InputException.at(out, "is there and holds no embeddings; give another name")
          .because(e);
    }
  }

  private int embed() throws InterruptedException {
    flags.model(Recipe.defaults().model()); // refuses what no network has
    if (places.size() != (featureFile == null ? 2 : 1)) {
      throw usage(
          featureFile == null
              ? "CORPUS and OUT are needed (or --features F and OUT)"
              : "with --features give OUT alone, no CORPUS");
    }
    if (speakerMeans && featureFile != null) {
      throw usage("--speaker-means needs a corpus: features have no speakers");
    }
    if (!flags.given("data.").isEmpty() && featureFile != null) {
      throw usage("--resample and --longest are for recordings; leave them out with --features");
    }
    if (channel && featureFile != null) {
      throw usage("--channel is for recordings; leave it out with --features");
    }
    shard = Shard.of(this, part);
    if (speakerMeans && shard != null) {
      throw usage("--speaker-means are of all utterances; leave out --shard");
    }
    Path out = places.getLast();
    apart(out, "the model", modelFile);
    apart(out, "the file of features", featureFile);
    apart(out, "the trial list", trials);
    requireOwn(out);
    AtomicFile.requireWritable(out);
    try (Backend backend = flags.open(flags.recipe())) {
      FeatureFile file = featureFile == null ? null : FeatureFile.open(featureFile);
      Corpus corpus =
          file != null
              ? null
              : Corpus.open(places.getFirst()).reading(flags.recipe().data().reading());
      try (SpeakerEncoder encoder =
          ModelFile.encoder(modelFile, flags, file == null ? 0 : file.bins(), backend)) {
        frontEnd = encoder.frontEnd();
        if (noCmn) frontEnd = new FrontEnd(frontEnd.frameShiftMs(), false);
        if (file != null) file.requireShift(frontEnd);
        ModelSpec spec = encoder.spec();
        Input input =
            corpus != null
                ? of(corpus, spec.bins())
                : new Input(
                    file.ids(), id -> file.features(id, frontEnd.meanNormalization()), file.bins());
        if (input.bins != spec.bins()) {
          throw InputException.at(
              source(),
              "its features have %d bins, the model in %s was made for %d",
              input.bins,
              modelFile,
              spec.bins());
        }
        Input chosen = chosen(input, spec.embeddingSize());
        try (EmbeddingFile.Writer writer = new EmbeddingFile.Writer(out, encoder.dimension())) {
          embed(encoder, chosen, corpus, writer);
          return write(writer, chosen.ids.size(), corpus, spec);
        }
      }
    }
  }

  /** Embeddings of the utterances or, of which nothing else is kept, the means of speakers. */
  private void embed(
      SpeakerEncoder encoder, Input input, Corpus corpus, EmbeddingFile.Writer writer)
      throws InterruptedException {
    int total = input.ids.size();
    int fewest = encoder.fewestFrames();
    SpeakerMeans means = new SpeakerMeans();
    try (Progress progress = Progress.of(this, "embedding", " utterances", 0, total)) {
      for (int from = 0; from < total; from += CHUNK) {
        int done = from;
        Embeddings some =
            encoder.embed(
                input.ids.subList(from, Math.min(total, from + CHUNK)),
                id -> usable(input, id, fewest),
                (n, _) -> progress.at(done + n, total));
        if (!speakerMeans) {
          writer.add(some);
          continue;
        }
        for (String id : some.utterances()) means.add(corpus.speakerOf(id), some.get(id));
      }
    }
    if (shard == null) leftOut.requireFewerThan(total);
    if (speakerMeans) writer.add(means.embeddings());
  }

  /** The features of an utterance; null if they cannot be used: then it is left out. */
  private Features usable(Input input, String id, int fewestFrames) {
    try {
      Features features = input.features.apply(id);
      if (features.frames() >= fewestFrames) return features;
      String reason = "%s: utterance %s is too short, %d of the %d frames that the network needs";
      throw new RecordingException(
          id, reason.formatted(source(), id, features.frames(), fewestFrames), null);
    } catch (RecordingException e) {
      leftOut.add(id, e);
    } catch (OutOfMemoryError e) {
      leftOut.add(id, RecordingException.outOfMemory(id, source(), e));
    }
    return null;
  }

  /** Where what is embedded comes from. */
  private Path source() {
    return featureFile == null ? places.getFirst() : featureFile;
  }

  private Input of(Corpus corpus, int bins) {
    FeatureReader reader = FeatureReader.of(corpus, frontEnd.fbank(bins), List.of(1.0));
    corpus.notes().forEach(this::note);
    WholeUtterances whole = new WholeUtterances(corpus, reader, frontEnd.meanNormalization());
    List<String> ids = new ArrayList<>();
    corpus.utterances().forEach(u -> ids.add(u.id()));
    if (!speakerMeans) ids.addAll(corpus.concatenated().keySet());
    if (channel && !reader.hasSound()) {
      throw InputException.at(
          corpus.folder(), "has features, and channels need sound; leave out --channel");
    }
    String suffix = channel ? Corpus.CHANNEL : "";
    return new Input(ids, id -> whole.features(id + suffix), reader.bins());
  }

  /** What is to be embedded, which one file can hold. */
  private Input chosen(Input all, int embeddingSize) {
    Input chosen = trials == null ? all : ofTrials(all);
    if (shard != null) { // whole chunks: which utterances share a batch decides the last bits
      ofShard =
          shard.metadata(
              chosen.ids,
              Sha256.of(modelFile),
              featureFile == null ? flags.recipe().data().reading() : Sha256.of(featureFile),
              flags.recipe().run().activations());
      chosen = new Input(shard.of(chosen.ids, CHUNK, "utterances"), chosen.features, chosen.bins);
    }
    if (!speakerMeans) {
      SafetensorsWriter.requireRoom(places.getLast(), chosen.ids, embeddingSize);
    }
    return chosen;
  }

  private Input ofTrials(Input all) {
    Trials list = Trials.read(trials);
    UtteranceNames names = new UtteranceNames(all.ids);
    LinkedHashSet<String> ids = new LinkedHashSet<>();
    for (String utterance : list.utterances()) {
      String id = names.find(trials.toString(), utterance);
      if (id == null)
        throw InputException.at(trials, "utterance %s is not in %s", utterance, source());
      ids.add(id);
    }
    return new Input(List.copyOf(ids), all.features, all.bins);
  }

  private int write(EmbeddingFile.Writer writer, int total, Corpus corpus, ModelSpec spec) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("model", modelFile.toString());
    metadata.put("cmn", Boolean.toString(frontEnd.meanNormalization()));
    if (channel) metadata.put("channel", "true");
    metadata.putAll(ShowCommand.of(modelFile));
    if (corpus != null) metadata.put(Provenance.EMBEDDED, corpus.sha256());
    metadata.putAll(ofShard);
    writer.write(metadata);
    Values values = new Values();
    values.put("embeddings", writer.size());
    values.put("dimension", spec.embeddingSize());
    values.put("model", spec.name());
    values.put("width", spec.width());
    values.put("bins", spec.bins());
    values.put("pooling", Key.of(spec.pooling()));
    values.put("cmn", frontEnd.meanNormalization());
    values.put("channel", channel);
    values.put("out", places.getLast().toString());
    leftOut.describe(this, values);
    result(
        values.text(
            "{embeddings:%,d} embedding{embeddings:s} of dimension {dimension} by {model}, {width}"
                + " channels, in {out}"),
        values);
    return leftOut.report(this, total);
  }
}
