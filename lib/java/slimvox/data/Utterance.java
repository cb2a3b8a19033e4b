package slimvox.data;

import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;

/**
 * One recording of one speaker.
 *
 * @param id the name that trial lists use; without white space
 * @param speaker who speaks
 * @param word what is said, where the corpus tells (Kaldi-like file {@code utt2word})
 * @param source where the sound or its features lie
 */
public record Utterance(String id, String speaker, Optional<String> word, Source source) {
  public Utterance {
    Objects.requireNonNull(id);
    Objects.requireNonNull(speaker);
    Objects.requireNonNull(word);
    Objects.requireNonNull(source);
  }

  /** The file of the sound or of the features. */
  public Path file() {
    return source.file();
  }

  /** Where an utterance lies. */
  public sealed interface Source {
    /** The file; an ark file holds many utterances. */
    Path file();
  }

  /** A WAV or FLAC file. */
  public record Sound(Path file) implements Source {}

  /**
   * A feature matrix in a Kaldi ark file.
   *
   * @param offset the matrix's first byte (the zero before {@code B})
   */
  public record Ark(Path file, long offset) implements Source {}
}
