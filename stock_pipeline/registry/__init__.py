"""The registry: versions of the models and which of them is in service. The only importer of mlflow."""
