package slimvox.train;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import slimvox.backend.Backend;
import slimvox.backend.dry.Rehearsal;
import slimvox.embed.Embedder;
import slimvox.memory.Category;
import slimvox.memory.MemoryBudget;
import slimvox.memory.OutOfBudgetException;
import slimvox.models.ModelSpec;
import slimvox.models.Models;
import slimvox.models.Network;
import slimvox.recipe.Recipe;
import slimvox.step.MemoryAnalysis;
import slimvox.step.MemoryFit;
import slimvox.step.StepMemory;
import slimvox.storage.InputException;

/** Refuses a run over its budget, before it takes any memory or computes any features. */
final class RunBudget {
  private RunBudget() {}

  /**
   * Looks whether the steps of a run fit, and whether the utterances of its trials can be embedded
   * beside what stays between its steps.
   *
   * @param lengths frames of the utterances, by id; asked for if the steps fit
   * @param backend of the run, with its budget
   * @param lossEvery steps that are read together
   * @return bytes of the budget that are left beside a step
   * @throws OutOfBudgetException saying what is in the way and what would fit, or naming the
   *     longest utterance that does not fit
   */
  static long require(
      Recipe recipe,
      int classes,
      Supplier<Map<String, Integer>> lengths,
      Backend backend,
      int lossEvery) {
    ModelSpec model = recipe.model();
    MemoryBudget budget = backend.ledger().budget();
    MemoryFit fit =
        MemoryAnalysis.of(recipe, classes, backend.device(), lossEvery)
            .fit(model, recipe.run().batch(), budget);
    fit.require(scheme -> String.join(" ", scheme.settings(model)));
    Function<Backend, Network> network =
        dry -> Models.build(model, dry).withActivations(recipe.run().activations());
    requireEvaluation(
        fit.asked(),
        lengths.get(),
        new Rehearsal<>(backend.device(), MemoryBudget.UNLIMITED, network),
        budget);
    return budget.bytes() - fit.asked().neededBytes();
  }

  private static void requireEvaluation(
      StepMemory step,
      Map<String, Integer> lengths,
      Rehearsal<Network> network,
      MemoryBudget budget) {
    long stays = step.report().totalNow();
    List<String> longestFirst = new ArrayList<>(lengths.keySet());
    longestFirst.sort(Comparator.comparing(lengths::get).reversed());
    int last = 0;
    try {
      for (String id : longestFirst) {
        int frames = lengths.get(id);
        if (frames == last) continue;
        last = frames;
        long needed = stays + Embedder.plan(network, 1, frames).bytes();
        if (needed > budget.bytes()) {
          throw new OutOfBudgetException(
              "out of the memory budget of %s: to embed %s of the trials, %d frames, takes %d bytes,"
                      .formatted(budget, id, frames, needed)
                  + " a training step %d; give run.memoryBudget=%dB or leave the utterance out"
                      .formatted(step.neededBytes(), needed),
              Category.ACTIVATION);
        }
        // A little shorter may need more, as workspaces go; not so much more.
        if (needed - stays < 0.8 * (budget.bytes() - stays)) return;
      }
    } catch (InputException e) {
      return; // too short for the network: evaluation names it
    }
  }
}
