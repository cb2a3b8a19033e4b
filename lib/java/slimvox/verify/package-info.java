/**
 * Speaker verification: trial lists, scores, and the error measures that go into a paper's table.
 *
 * <p>A <em>trial</em> asks whether two utterances come from one speaker (a target trial) or from
 * two (nontarget). A system answers each with a <em>score</em>; {@link slimvox.verify.Scores} joins
 * the two by pair. {@link slimvox.verify.DetectionCurve} sorts the scores once and gives EER,
 * minDCF and the DET curve; {@link slimvox.verify.Verification} is the line that gets reported.
 *
 * <pre>{@code
 * Trials trials = Trials.read(Path.of("trials.txt"));
 * Scores scores = CosineScoring.subtracting(train.mean()).score(trials, embeddings);
 * System.out.println(Verification.of(scores));
 * }</pre>
 */
package slimvox.verify;
