"""The code of a model in MLflow, copied into its folder as it is: the learned part lies beside it in plain files."""

from mlflow.models import set_model

from diagnosis.tracking.served_model import ServedDiagnoser

set_model(ServedDiagnoser())
