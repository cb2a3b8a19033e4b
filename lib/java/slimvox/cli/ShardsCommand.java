package slimvox.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import slimvox.data.Corpus;
import slimvox.data.TarShards;
import slimvox.report.Values;
import slimvox.storage.InputException;

/** A corpus in a few large files. */
@Command(
    name = "shards",
    description = {
      "Write the recordings of a corpus into tar archives as WeSpeaker reads them, for disks and"
          + " networks on which many small files are slow.",
      "OUT is then a corpus of the same utterances; data.shuffleBuffer=10000 trains with it archive"
          + " by archive."
    })
final class ShardsCommand extends Subcommand {
  @Parameters(index = "0", paramLabel = "CORPUS", description = "Corpus folder.")
  private Path folder;

  @Parameters(index = "1", paramLabel = "OUT", description = "Folder for the archives.")
  private Path out;

  @Option(names = "--utterances", paramLabel = "N", description = "Utterances of an archive.")
  private int perArchive = 1000;

  @Override
  public Integer call() {
    range("--utterances", perArchive, 1, 10_000_000);
    apart(out, "the corpus", folder);
    requireFolderName(out);
    Corpus corpus = Corpus.open(folder).requireFiles();
    for (String list : List.of("wav.scp", "shard.list", "feats.scp", "utt2spk", "segments")) {
      if (!Files.exists(out.resolve(list))) continue;
      throw InputException.at(out, "holds a corpus already (%s); name another folder", list);
    }
    int total = corpus.utterances().size();
    try (Progress progress = Progress.of(this, "writing", " utterances", 0, total)) {
      TarShards.write(corpus, out, perArchive, progress::at);
    }
    int archives = (total + perArchive - 1) / perArchive;
    Values values =
        new Values().with("utterances", total).with("archives", archives).with("out", out + "");
    result(
        values.text(
            "{utterances:%,d} utterance{utterances:s} in {archives:%,d} archive{archives:s} in"
                + " {out}"),
        values);
    return 0;
  }
}
