"""What one training run is: every key of the config, its default and its meaning. Unknown keys are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from diagnosis.errors import InputError
from diagnosis.features import checked_windows
from diagnosis.training.dask_plan import DaskPlan
from diagnosis.training.section import Section as _Section
from diagnosis.training.tracking_plan import Tracking

__all__ = [
    "Abstain",
    "AsOf",
    "Calibration",
    "Cohort",
    "Config",
    "DaskPlan",
    "EvaluationPlan",
    "Features",
    "Labels",
    "ModelChoice",
    "MustNotMiss",
    "Source",
    "SplitPlan",
    "SuggestionPlan",
    "Tracking",
    "config_schema",
]


def _tuple_of_list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _share_or_value(value: object) -> object:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, float | int) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    raise ValueError('a share between 0 and 1, "each", or one value to hold out, as text (quote it if it is a number)')


def _moment(value: object) -> object:
    if value in ("arrival", "index", "end"):
        return value
    if isinstance(value, float | int) and not isinstance(value, bool) and value >= 0:
        return float(value)
    raise ValueError("arrival, index, end, or hours after the start of the encounter")


def _windows(value: object) -> object:
    try:
        checked_windows(value if isinstance(value, list | tuple) else ())
    except InputError as error:
        raise ValueError('a list of days above 0, or "ever", each once') from error
    return _tuple_of_list(value)


def _jobs(value: int) -> int:
    if value == -1 or value >= 1:
        return value
    raise ValueError("a number of threads from 1, or -1 for one a core")


def _short_source(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _on_or_off(value: object) -> object:
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


def _as_word(value: object) -> object:
    """YAML reads a bare on and off as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _tuple_of_groups(value: object) -> object:
    return () if value is None else (value,) if isinstance(value, str) else _tuple_of_list(value)


Grouping = Literal["age_band", "site", "sex", "setting"]
Texts = Annotated[tuple[str, ...], BeforeValidator(_tuple_of_list)]


class Source(_Section):
    """Where records are read from."""

    path: str | None = None
    """The folder or file, relative to the config file. `${NAME}` is taken from the environment. Null only with the
    format `sample`."""
    format: str = "tables"
    """The reader: `tables` (CSV or Parquet), `sample` (the synthetic sample in the package), or another installed
    reader."""
    encoding: str | None = None
    """The encoding of text files; null means UTF-8."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The reader's own options by their names: of `meds` for instance `index` and `window_hours`."""

    @model_validator(mode="after")
    def _path_or_sample(self) -> Source:
        if self.format == "sample" and self.path is not None:
            raise ValueError("no path with the format sample, which is in the package")
        if self.format == "sample" and self.options:
            raise ValueError("no options with the format sample")
        if self.format != "sample" and not self.path:
            raise ValueError("a path (only the format sample has none)")
        return self


Records = Annotated[Source, BeforeValidator(_short_source, json_schema_input_type=str | Source)]


class Cohort(_Section):
    """Which encounters take part."""

    visit: Annotated[
        tuple[Literal["first", "follow_up", "unknown"], ...], BeforeValidator(_tuple_of_list), Field(min_length=1)
    ] = ("first", "unknown")
    """Kinds of visit that are kept. A follow-up arrives with its diagnosis known, so it is left out by default."""


class AsOf(_Section):
    """The moment a suggestion is made; what was known later is set aside and counted."""

    at: Annotated[Literal["arrival", "index", "end"] | float, BeforeValidator(_moment)] = "end"
    """`arrival`, `index` (the case's index time), `end`, or hours after the start of the encounter."""
    unknown_time: Literal["keep", "drop"] = "keep"
    """What is done with findings that do not say when they were known."""


class Labels(_Section):
    """What counts as the truth."""

    rule: Literal["principal"] = "principal"
    """The label of a case: its principal diagnosis."""
    status: Annotated[
        tuple[Literal["confirmed", "provisional", "differential", "ruled_out"], ...],
        BeforeValidator(_tuple_of_list),
        Field(min_length=1),
    ] = ("confirmed",)
    """Statuses of a judgement that make it a label."""
    min_cases: Annotated[int, Field(ge=1)] = 5
    """Diagnoses with fewer training cases are treated as `rest` says."""
    rest: Literal["other", "drop", "error"] = "other"
    """Rare diagnoses: pooled into OTHER, left out of training, or an error."""


class SplitPlan(_Section):
    """How unseen cases are set apart when there are no `test_records`; no patient is on both sides."""

    by: Literal["patient", "site", "time", "group"] = "patient"
    """What is held out together."""
    test: Annotated[float | str, BeforeValidator(_share_or_value)] = 0.2
    """A share of the cases; or one value (a site's name, a group, an ISO time from which on cases are unseen); or
    `each`: every site or group is held out once and the results are pooled."""

    @model_validator(mode="after")
    def _fits(self) -> SplitPlan:
        if isinstance(self.test, str) and self.by == "patient":
            raise ValueError("a share between 0 and 1 when the split is by patient")
        if self.test == "each" and self.by == "time":
            raise ValueError("a share or an ISO time when the split is by time")
        return self


class Features(_Section):
    """How findings become columns."""

    min_cases: Annotated[int, Field(ge=1)] = 2
    """Columns with fewer training cases are left out."""
    hierarchy: bool = False
    """With the `parents` of the vocabulary, *present* holds for broader findings too, *absent* for narrower ones."""
    ages: bool = True
    """Age, age band and sex as columns."""
    ordering: bool = True
    """That a value was measured at all is a column. It tells the doctor's suspicion; false leaves it out."""
    reference_ranges: bool = True
    """Values without a range of their own are high or low by the packaged table; false takes a record's own alone."""
    range_scores: bool = False
    """How far a value lies from the middle of its range is a column."""
    onsets: bool = True
    """How long ago a finding began is a column."""
    windows: Annotated[tuple[float | Literal["ever"], ...], BeforeValidator(_windows)] = ()
    """Days before the moment, or `ever`, over which findings of this and earlier encounters are summed up."""


class ModelChoice(BaseModel):
    """The model, and beside `kind` that kind's own options by their names."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, use_attribute_docstrings=True)

    kind: Literal["linear", "boosted", "hybrid", "ranker", "auto"] = "hybrid"
    """`linear` (logistic), `boosted` (LightGBM), `hybrid` (both, with fitted weights), `ranker` (candidates, then their
    order), or `auto`: the ranker from 150 diagnoses on, otherwise the hybrid."""

    @property
    def options(self) -> dict[str, object]:
        """The kind's options that the config sets."""
        return dict(self.model_extra or {})


class Calibration(_Section):
    """How scores become probabilities."""

    method: Literal["adaptive", "temperature"] = "adaptive"
    """`temperature`: one factor for all scores, fitted on cross-fitted scores. `adaptive`: a further factor for each
    case, by how sure the model is, where that lowers the log-loss."""


class MustNotMiss(_Section):
    """The policy for diagnoses marked `must_not_miss`."""

    sensitivity: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """The sensitivity for which flag thresholds are chosen on training data."""
    per: Literal["case", "diagnosis"] = "case"
    """`case`: it holds over all cases with such a diagnosis, with the fewest flags; `diagnosis`: for each diagnosis."""


class Abstain(_Section):
    """When not to answer."""

    error: Annotated[float, Field(gt=0, lt=1)]
    """Most that the first suggestion may be wrong among the cases that are answered, as a share."""


class SuggestionPlan(_Section):
    """What a suggestion holds."""

    top: Annotated[int, Field(ge=1)] = 5
    """How many diagnoses are listed."""
    coverage: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Target coverage of the conformal set."""
    set: Literal["lac", "aps"] = "lac"
    """`lac`: the smallest sets on average; `aps`: sets that grow where the case is hard."""
    set_by: Annotated[tuple[Grouping, ...], BeforeValidator(_tuple_of_groups)] = ("age_band", "site", "sex")
    """Groups in which the coverage is kept: one of them, a list, or null for none."""
    class_conditional: bool = False
    """The coverage is kept for each diagnosis instead; not together with `set_by`."""
    must_not_miss: MustNotMiss = MustNotMiss()
    """The policy for diagnoses that must not be missed."""
    abstain: Abstain | None = None
    """When not to answer, for a declared error; null: only where nothing is known of a case."""
    red_flags: Annotated[bool, BeforeValidator(_on_or_off)] = True
    """Whether the red-flag rules of the package and of the records are applied: `on` or `off`."""

    @model_validator(mode="after")
    def _one_way(self) -> SuggestionPlan:
        if self.class_conditional and "set_by" in self.model_fields_set and self.set_by:
            raise ValueError("either set_by or class_conditional, not both")
        return self


class EvaluationPlan(_Section):
    """What is reported about unseen cases."""

    by: Texts = ("sex", "age_band", "site")
    """Groups with metrics of their own: columns of `cases`, or `age_band`."""
    explained: bool = True
    """Whether three unseen cases are explained on a page, `review.html`, which stays in the run's folder."""


class Config(_Section):
    """One training run. Every key has a default; unknown keys are refused."""

    version: Literal[1] = 1
    """Version of this config format."""
    name: Annotated[str, Field(pattern=r"^\w[\w .+-]{0,99}$")] = "run"
    """Name of the run; in a file that does not say, the file's own name."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of everything that is drawn."""
    n_jobs: Annotated[int, AfterValidator(_jobs)] = 1
    """Threads; -1 takes one a core."""
    engine: Literal["local", "dask"] = "local"
    """Where cases are encoded and models fitted: `local`, this machine; `dask`, the workers that `dask` names."""
    dask: DaskPlan = DaskPlan()
    """The workers of `engine: dask`."""
    records: Records = Source(format="sample")
    """The past cases: a folder, or `{path, format, encoding}`. The default is the synthetic sample."""
    test_records: Records | None = None
    """Unseen cases; null: set apart from `records` as `split` says."""
    cohort: Cohort = Cohort()
    """Which encounters take part."""
    as_of: AsOf = AsOf()
    """The moment a suggestion is made."""
    labels: Labels = Labels()
    """What counts as the truth."""
    split: SplitPlan = SplitPlan()
    """How unseen cases are set apart."""
    features: Features = Features()
    """How findings become columns."""
    model: ModelChoice = ModelChoice()
    """The model and its options."""
    knowledge: str | None = None
    """A table `knowledge` (CSV or Parquet) for the ranker: P(finding | diagnosis), so that a diagnosis without a case
    can be suggested; relative to this file. Null: that of the records, if they have one."""
    vocabulary: str | None = None
    """More words for the codes of findings: names, synonyms and `parents` from a CSV, OBO or OBO Graphs file, relative
    to this file. Null: those of the records alone. What the records say themselves comes first."""
    target: Literal["posterior", "differential", "both"] = "posterior"
    """What is learned: the `posterior`, which diagnosis it is; beside it, from the reference lists of the cases, the
    `differential`, which ones a doctor would keep on the list (with `differential` that is also the reading suggestions
    are given in unless asked otherwise; with `both` it is the posterior)."""
    calibration: Calibration = Calibration()
    """How scores become probabilities."""
    masking: Annotated[Literal["auto", "on", "interview", "off"], BeforeValidator(_as_word)] = "auto"
    """Whether copies of training cases with a random part of their findings taken away are learned as well, so that a
    sparse case gets an unsure list. `auto`: where the training cases leave next to no blanks."""
    suggestion: SuggestionPlan = SuggestionPlan()
    """What a suggestion holds."""
    evaluation: EvaluationPlan = EvaluationPlan()
    """What is reported about unseen cases."""
    tracking: Tracking | None = Tracking()
    """Where the run is recorded in MLflow; null: nowhere."""
    output: str | None = None
    """The run's folder, relative to the working directory; null: `runs/` and the name."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.output) if self.output else Path("runs") / self.name

    def portable(self) -> dict[str, object]:
        """Return what decides the result, as plain values: all but paths, tracking and the number of threads."""
        plain = self.model_dump(mode="json", exclude={"output", "tracking", "n_jobs", "dask"})
        if self.engine == "dask":
            plain["dask"] = {"workers": self.dask.workers}
        for name in ("records", "test_records"):
            if plain[name] is not None:
                del plain[name]["path"]
        # Its content is part of the records' digest.
        plain["knowledge"] = None if plain["knowledge"] is None else "given"
        # What of it counts is saved with the model.
        plain["vocabulary"] = None if plain["vocabulary"] is None else "given"
        return plain


def config_schema() -> dict[str, object]:
    """Return the JSON Schema of a config file, for editors."""
    schema = Config.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
