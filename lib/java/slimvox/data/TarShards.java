package slimvox.data;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarFile;
import slimvox.audio.AudioFiles;
import slimvox.audio.Waveform;
import slimvox.storage.AtomicFile;
import slimvox.storage.InputException;
import slimvox.storage.Printable;
import slimvox.storage.TextLines;

/**
 * Tar archives of utterances as WeSpeaker writes and reads them, for disks on which a million small
 * files are slow: members {@code KEY.wav} or {@code KEY.flac} and {@code KEY.spk}, the speaker's
 * name. A file {@value #LIST} has the path of an archive a line.
 *
 * <p>Reading takes the headers alone; an utterance is then read where it lies in its archive, as
 * one of a wav.scp of lines {@code KEY ARCHIVE.tar:BYTE}, which {@link #write} makes too: it spares
 * the reading of headers.
 *
 * <p>Source: WeSpeaker, tools/make_shard_list.py and wespeaker/dataset/processor.py.
 */
public final class TarShards {
  /** The file that lists the archives of a folder. */
  static final String LIST = "shard.list";

  private static final int MOST_NAME_BYTES = 1000; // of a speaker

  private TarShards() {}

  /** A member that is sound, and whose it is. */
  private static final class Member {
    private Utterance.Sound sound;
    private String speaker;
  }

  /** The corpus of the archives that a folder lists. */
  static Corpus read(Path folder) {
    List<Utterance> utterances = new ArrayList<>();
    Map<String, Path> archives = new LinkedHashMap<>();
    List<CorpusFiles.Line> lines = CorpusFiles.lines(folder.resolve(LIST));
    if (lines.isEmpty()) {
      throw InputException.at(folder.resolve(LIST), "empty; a line is the path of a tar archive");
    }
    for (CorpusFiles.Line line : lines) {
      Path archive = folder.resolve(line.text()).normalize();
      members(archive)
          .forEach(
              (key, member) -> {
                Path earlier = archives.put(key, archive);
                if (earlier != null) {
                  throw InputException.at(
                      archive, "utterance %s is in %s too; remove one of them", key, earlier);
                }
                utterances.add(new Utterance(key, member.speaker, Optional.empty(), member.sound));
              });
    }
    return new Corpus(folder, utterances, Map.of(), List.of());
  }

  private static Map<String, Member> members(Path archive) {
    Map<String, Member> members = new LinkedHashMap<>();
    try (TarFile tar = new TarFile(archive)) {
      long bytes = Files.size(archive);
      for (TarArchiveEntry entry : tar.getEntries()) {
        if (!entry.isFile()) continue;
        if (entry.getDataOffset() + entry.getSize() > bytes) {
          throw InputException.at(
              archive, "cut short at byte %d, in %s; copy it again", bytes, entry.getName());
        }
        add(archive, tar, entry, members);
      }
    } catch (IOException e) {
      throw InputException.at(
              archive,
              Files.exists(archive)
                  ? "no whole tar archive (%s); copy it again"
                  : "no such file (%s); correct the list",
              TextLines.reason(e))
          .because(e);
    }
    members.forEach(
        (key, member) -> {
          if (member.sound != null && member.speaker != null) return;
          throw InputException.at(
              archive,
              "%s has no %s; leave it out, or make the archive again",
              key,
              member.sound == null ? "sound, .wav or .flac" : "speaker, .spk");
        });
    return members;
  }

  private static void add(
      Path archive, TarFile tar, TarArchiveEntry entry, Map<String, Member> members)
      throws IOException {
    String name = entry.getName();
    int dot = name.lastIndexOf('.');
    String key = dot < 0 ? name : name.substring(0, dot);
    String place = archive + ", member " + name;
    Printable.requireVisible(key, () -> place);
    Member member = members.computeIfAbsent(key, _ -> new Member());
    switch (dot < 0 ? "" : name.substring(dot)) {
      case ".spk" -> {
        try (InputStream in = tar.getInputStream(entry)) {
          byte[] speaker = in.readNBytes(MOST_NAME_BYTES);
          member.speaker =
              StandardCharsets.UTF_8
                  .newDecoder()
                  .decode(ByteBuffer.wrap(speaker))
                  .toString()
                  .strip();
        } catch (CharacterCodingException e) {
          throw InputException.at(place, "is not UTF-8; make the archive again").because(e);
        }
        Printable.requireVisible(member.speaker, () -> place);
        if (member.speaker.isEmpty() || member.speaker.matches(".*\\s.*")) {
          throw InputException.at(
              place, "a speaker is one word, not '%s'; make the archive again", member.speaker);
        }
      }
      case ".wav", ".flac" -> {
        if (member.sound != null) throw InputException.at(place, "is there twice; remove one");
        long at = entry.getDataOffset();
        member.sound = new Utterance.Sound(archive, at, 0, Utterance.Sound.WHOLE);
      }
      default ->
          throw InputException.at(
              place, "is neither .wav, .flac nor .spk; leave it out of the archive");
    }
  }

  /**
   * Writes a corpus into archives, in random order, with their list and the {@code wav.scp} and
   * {@code utt2spk} that say where each utterance lies. Whole files are copied; a segment is
   * written as WAV.
   *
   * @param perArchive utterances in each
   * @param progress told after each archive
   * @throws InputException if a recording cannot be read, or the disk is full
   */
  public static void write(
      Corpus corpus, Path folder, int perArchive, FeatureSource.Progress progress) {
    List<Utterance> shuffled = new ArrayList<>(corpus.utterances());
    Collections.shuffle(shuffled, new Random(1));
    SoundReader reader = new SoundReader(AudioFiles.SAMPLE_RATE, corpus.reading());
    StringBuilder list = new StringBuilder();
    List<String> scp = new ArrayList<>();
    for (int from = 0; from < shuffled.size(); from += perArchive) {
      List<Utterance> some = shuffled.subList(from, Math.min(shuffled.size(), from + perArchive));
      String name = String.format(Locale.ROOT, "shards_%05d.tar", from / perArchive);
      Path archive = folder.resolve(name);
      AtomicFile.write(archive, -1, out -> write(some, reader, out));
      list.append(name).append('\n');
      members(archive)
          .forEach((key, m) -> scp.add(key + " " + name + ":" + m.sound.offset() + "\n"));
      progress.at(from + some.size(), shuffled.size());
    }
    Collections.sort(scp);
    StringBuilder utt2spk = new StringBuilder();
    for (Utterance u : corpus.utterances()) {
      utt2spk.append(u.id()).append(' ').append(u.speaker()).append('\n');
    }
    AtomicFile.write(folder.resolve("utt2spk"), utt2spk.toString());
    AtomicFile.write(folder.resolve("wav.scp"), String.join("", scp));
    AtomicFile.write(folder.resolve(LIST), list.toString());
  }

  private static void write(List<Utterance> utterances, SoundReader reader, OutputStream out)
      throws IOException {
    TarArchiveOutputStream tar = new TarArchiveOutputStream(out, "UTF-8");
    tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
    tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
    for (Utterance utterance : utterances) {
      if (!(utterance.source() instanceof Utterance.Sound sound)) {
        throw InputException.at(utterance.file(), "has features, and shards are of sound");
      }
      byte[] speaker = utterance.speaker().getBytes(StandardCharsets.UTF_8);
      member(tar, utterance.id() + ".spk", speaker);
      boolean whole = !sound.isSegment() && sound.offset() == 0;
      boolean flac = whole && reader.probe(sound).format().equals("FLAC");
      byte[] bytes =
          whole
              ? Files.readAllBytes(sound.file())
              : new Waveform(reader.read(sound), AudioFiles.SAMPLE_RATE).wav();
      member(tar, utterance.id() + (flac ? ".flac" : ".wav"), bytes);
    }
    tar.finish();
  }

  private static void member(TarArchiveOutputStream tar, String name, byte[] bytes)
      throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setSize(bytes.length);
    entry.setModTime(0);
    tar.putArchiveEntry(entry);
    tar.write(bytes);
    tar.closeArchiveEntry();
  }
}
