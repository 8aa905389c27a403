"""Classify pictures with MediaPipe's ImageClassifier and print the answers as JSON.

    python tests/mediapipe_client.py MODEL PICTURES.npz

It runs in an environment of its own, `make .venv-clients/ready`: MediaPipe and TensorFlow Model
Optimization want different versions of absl-py.
"""

import json
import sys

import mediapipe as mp
import numpy as np

model, pictures = sys.argv[1:]
options = mp.tasks.vision.ImageClassifierOptions(
    base_options=mp.tasks.BaseOptions(model_asset_path=model), max_results=10
)
answers = []
with mp.tasks.vision.ImageClassifier.create_from_options(options) as classifier:
    for _, picture in sorted(np.load(pictures).items()):
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        categories = classifier.classify(image).classifications[0].categories
        answers.append({category.category_name: category.score for category in categories})
print(json.dumps(answers))
