package slimvox.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import slimvox.audio.ChannelSettings;
import slimvox.audio.FrontEnd;
import slimvox.audio.ReadSettings;
import slimvox.storage.InputException;

class RecipeHashTest {
  @Test
  void hashChangesWithEverySettingAndNothingElse() {
    Recipe recipe = Recipe.parse("seed: 7 # lucky\nmodel: {width: 8, bins: 80}", "a");
    assertEquals(recipe.hash(), Recipe.parse("model:\n  width: 8\nseed: 7\n", "b").hash());
    assertNotEquals(recipe.hash(), recipe.with("seed=8").hash());
    assertNotEquals(recipe.hash(), recipe.with("data.trials=val-joined").hash());
  }

  /** Folders of runs are named by hashes: those of earlier versions are found again. */
  @Test
  void settingsThatCameLaterLeaveHashesAsTheyWere() {
    Recipe recipe = Recipe.defaults();
    assertEquals("581fd40f132b", recipe.hash());
    assertFalse(recipe.toYaml().contains("resample"), recipe.toYaml());
    assertEquals(ReadSettings.DEFAULT, recipe.data().reading());
    assertEquals(recipe, recipe.with("data.resample=false", "data.longestMinutes=null"));
    assertEquals(FrontEnd.USUAL, recipe.data().frontEnd());
    Recipe heard = recipe.with("data.frameShiftMs=40", "data.meanNormalization=false");
    assertEquals(new FrontEnd(40, false), heard.data().frontEnd());
    assertNotEquals(recipe.hash(), heard.hash());
    assertEquals(heard.data().frontEnd(), FrontEnd.of(heard.data().frontEnd().texts()));
    assertEquals(
        "setting data.frameShiftMs=25: data.frameShiftMs: 25 is not possible; allowed is a multiple"
            + " of 10",
        assertThrows(InputException.class, () -> recipe.with("data.frameShiftMs=25")).getMessage());
    assertFalse(recipe.toYaml().contains("channel"), recipe.toYaml());
    Recipe behind = recipe.with("data.channel.probability=0.5", "data.channel.gainDb=0");
    assertTrue(behind.toYaml().contains("\n  channel:\n    probability: 0.5\n    gainDb: 0.0\n"));
    assertEquals(behind, Recipe.parse(behind.toYaml(), "r.yaml"));
    assertEquals(new ChannelSettings(0.5, 6, 10, 5, 20, 0), behind.data().channel());
    Recipe other = recipe.with("data.resample=true", "data.longestMinutes=7.5");
    assertEquals(new ReadSettings(true, 7.5), other.data().reading());
    assertNotEquals(recipe.hash(), other.hash());
    assertEquals(other, Recipe.parse(other.toYaml(), "r.yaml"));
    assertEquals(recipe, other.with("data.resample=null", "data.longestMinutes=null"));
    assertEquals(
        "setting data.longestMinutes=0: data.longestMinutes: 0 is not possible; allowed is 0.001 to"
            + " 100000",
        assertThrows(InputException.class, () -> recipe.with("data.longestMinutes=0"))
            .getMessage());
  }
}
