"""The registry: versions of the models and which of them is active. The only importer of mlflow."""
