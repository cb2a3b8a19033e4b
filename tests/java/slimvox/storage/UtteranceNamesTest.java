package slimvox.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static slimvox.Refusals.refused;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UtteranceNamesTest {
  private static String find(String name, String... ids) {
    return new UtteranceNames(List.of(ids)).find("trials:7", name);
  }

  @ParameterizedTest
  @CsvSource({
    "id10001/1zcIwhmdeo4/00001.wav, id10001-1zcIwhmdeo4-00001",
    "id10001-1zcIwhmdeo4-00001, id10001/1zcIwhmdeo4/00001.wav",
    "id10001/1zcIwhmdeo4/00001, id10001-1zcIwhmdeo4-00001",
    "id10001/1zcIwhmdeo4/00001, id10001/1zcIwhmdeo4/00001.wav",
    "id10001\\1zcIwhmdeo4\\00001.WAV, id10001-1zcIwhmdeo4-00001",
    "./id10001/1zcIwhmdeo4/00001.wav, id10001-1zcIwhmdeo4-00001",
    ".\\id10001\\1zcIwhmdeo4\\00001.m4a, id10001/1zcIwhmdeo4/00001.flac",
    "jos\u00e9-1, jose\u0301-1",
    "jose\u0301/1.wav, jos\u00e9-1",
    "same.wav, same.wav",
    "wav/a/1.wav, a-1",
    "/data/voxceleb1/wav/id10001/1zcIwhmdeo4/00001.wav, id10001-1zcIwhmdeo4-00001",
  })
  void otherFormsOfAnIdAreFound(String name, String id) {
    assertEquals(id, find(name, "other", id));
  }

  @ParameterizedTest
  @CsvSource({"a-2, a-1", "a/b/c, a-b", "A-1, a-1", "a.txt, a", "x/a-1, a-1", "x/y/1.wav, 1"})
  void otherIdsAreNot(String name, String id) {
    assertNull(find(name, id));
  }

  @Test
  void whatIsWrittenJustSoComesFirst() {
    assertEquals("a-b", find("a-b", "a/b.wav", "a-b", "a/b"));
    assertEquals("e\u0301", find("e\u0301", "\u00e9", "e\u0301"));
    assertEquals("e\u0301-1", find("\u00e9-1", "\u00e9/1", "e\u0301-1"));
  }

  @Test
  void twoThatCanBeMeantAreNamed() {
    assertEquals(
        "trials:7: utterance 'a\\b.wav' can be 'a-b' or 'a/b'; write it as one of them",
        refused(() -> find("a\\b.wav", "a-b", "a/b")).replace("'a/b' or 'a-b'", "'a-b' or 'a/b'"));
    assertEquals(
        "which differ in how accents are encoded; write it as one of them",
        refused(() -> find("\u00e9.wav", "\u00e9", "e\u0301")).split(", ")[1]);
  }
}
