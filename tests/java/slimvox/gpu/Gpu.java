package slimvox.gpu;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import slimvox.backend.cuda.Cuda;

/** Tests that need an NVIDIA card; skipped, with the reason, where there is none. */
@Tag("gpu")
@ExtendWith(Gpu.Present.class)
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.TYPE, ElementType.METHOD})
public @interface Gpu {
  /** Asks {@link Cuda#find()}. */
  final class Present implements ExecutionCondition {
    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
      Cuda.Finding found = Cuda.find();
      return found.usable()
          ? ConditionEvaluationResult.enabled(found.description())
          : ConditionEvaluationResult.disabled("no card: " + found.description());
    }
  }
}
