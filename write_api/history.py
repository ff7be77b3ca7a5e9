"""What the rules can tell about a recorded history; see `infra.histories`."""

from typing import Final

from infra.histories import Decisions
from write_api.as_test import as_test
from write_api.counterfactual import AggregateJudge

AGGREGATE_DECISIONS: Final = Decisions(AggregateJudge, as_test)
